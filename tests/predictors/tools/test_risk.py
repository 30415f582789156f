import pytest

from predictors.tools import InvalidToolError, Tool
from predictors.tools.risk import ToolRisk, risk_of, risk_of_annotations

HARMLESS_BY_NAME = Tool(tool_id="read_only_safe_getter", name="read_only_safe_getter", description="Only reads.")


def test_the_operators_word_decides() -> None:
    assert risk_of(HARMLESS_BY_NAME, declared={"read_only_safe_getter": "reads"}) is ToolRisk.READS
    assert risk_of(HARMLESS_BY_NAME, declared={"read_only_safe_getter": "destroys"}) is ToolRisk.DESTROYS


def test_a_harmless_name_proves_nothing() -> None:
    assert risk_of(HARMLESS_BY_NAME, declared={}) is ToolRisk.UNKNOWN


def test_a_provider_may_admit_harm_but_is_not_believed_when_it_denies_it() -> None:
    assert risk_of(HARMLESS_BY_NAME, declared={}, annotations={"destructiveHint": True}) is ToolRisk.DESTROYS
    assert risk_of(HARMLESS_BY_NAME, declared={}, annotations={"readOnlyHint": True}) is ToolRisk.UNKNOWN


@pytest.mark.parametrize(
    ("annotations", "risk"),
    [
        ({}, ToolRisk.UNKNOWN),
        ({"title": "x"}, ToolRisk.UNKNOWN),
        ({"readOnlyHint": True}, ToolRisk.READS),
        ({"readOnlyHint": False, "destructiveHint": False}, ToolRisk.WRITES),
        ({"readOnlyHint": "yes"}, ToolRisk.UNKNOWN),
    ],
)
def test_annotations_are_read_as_mcp_defines_them(annotations: dict[str, object], risk: ToolRisk) -> None:
    assert risk_of_annotations(annotations) is risk


def test_a_request_is_as_risky_as_its_riskiest_tool() -> None:
    assert max([ToolRisk.READS, ToolRisk.UNKNOWN, ToolRisk.WRITES]) is ToolRisk.UNKNOWN


def test_a_class_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidToolError, match="'spicy' is none of reads, writes, unknown, destroys"):
        risk_of(HARMLESS_BY_NAME, declared={"read_only_safe_getter": "spicy"})
