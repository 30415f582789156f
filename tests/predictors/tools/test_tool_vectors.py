import numpy as np
import pytest

from predictors.tools import Tool
from predictors.tools.tool_vectors import ToolVectors, document_of, name_of

from .toys import CountedWords

PLAIN = Tool(tool_id="1", name="book_a.flight", description="Now.")


def test_a_tool_is_read_as_its_name_in_words_and_its_description() -> None:
    assert (name_of(PLAIN), document_of(PLAIN)) == ("book a flight", "book a flight: Now.")
    assert document_of(Tool(tool_id="1", name="x")) == "x"


def test_parameters_draw_the_description_toward_their_words_and_leave_the_name() -> None:
    schema = '{"type": "object", "properties": {"hotel": {"type": "string"}}}'
    rich = Tool(tool_id="1", name="book_a.flight", description="Now.", parameters=schema)
    plain, drawn = ToolVectors.of([PLAIN], CountedWords()), ToolVectors.of([rich], CountedWords())
    seat = CountedWords().encode(["hotel"])[0]
    assert drawn.whole[0] @ seat > plain.whole[0] @ seat
    assert np.linalg.norm(drawn.whole[0]) == pytest.approx(1.0)
    assert np.array_equal(drawn.name, plain.name)


def test_a_name_of_a_megabyte_is_read_at_its_beginning() -> None:
    assert len(name_of(Tool(tool_id="1", name="x" * 1_000_000))) == 1_000
