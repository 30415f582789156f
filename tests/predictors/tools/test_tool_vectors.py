import numpy as np
import pytest

from predictors.tools import Tool
from predictors.tools.tool_vectors import document_of, vectors_of

from .toys import CountedWords

PLAIN = Tool(tool_id="1", name="book_a.flight", description="Now.")


def test_a_tool_is_read_as_its_name_in_words_and_its_description() -> None:
    assert document_of(PLAIN) == "book a flight: Now."
    assert document_of(Tool(tool_id="1", name="x")) == "x"


def test_parameters_draw_the_description_toward_their_words() -> None:
    plain, drawn = vectors_of([PLAIN, PLAIN], [(), ("hotel",)], CountedWords())
    seat = CountedWords().encode(["hotel"])[0]
    assert drawn @ seat > plain @ seat
    assert np.linalg.norm(drawn) == pytest.approx(1.0)


def test_a_name_of_a_megabyte_is_read_at_its_beginning() -> None:
    assert len(document_of(Tool(tool_id="1", name="x" * 1_000_000))) == 1_000
