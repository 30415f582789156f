from typing import Any

import pytest

from predictors.tools import InvalidToolError, Tool, ToolRegistry, ToolUsage, UnknownToolError

REGISTRY = ToolRegistry(tools=(Tool(tool_id="a", name="a"), Tool(tool_id="b", name="b")))


def test_a_tool_named_twice_for_one_request_counts_once() -> None:
    assert ToolUsage.of(["q"], [["a", "a"]]).tool_ids == (("a",),)


def test_every_request_needs_a_list_of_tools() -> None:
    with pytest.raises(InvalidToolError, match="2 queries but 1 lists"):
        ToolUsage.of(["q", "r"], [["a"]])


@pytest.mark.parametrize(
    ("query", "ids"), [("q", "ab"), ("q", 5), (None, ["a"]), (3, ["a"]), ("r", None), ("r", ["a", None])]
)
def test_an_empty_cell_of_a_table_is_told_by_its_place(query: Any, ids: Any) -> None:
    with pytest.raises(InvalidToolError, match="request 1 "):
        ToolUsage.of(["q", query], [["a"], ids])


def test_pairs_are_rows_of_requests_and_tools_in_order() -> None:
    pairs = ToolUsage.of(["q", "r"], [["b", "a"], ["b"]]).pairs(REGISTRY)
    assert pairs.query.tolist() == [0, 0, 1]
    assert pairs.tool.tolist() == [1, 0, 1]


def test_usage_within_a_registry_drops_foreign_tools_and_requests_that_used_no_other() -> None:
    usage = ToolUsage.of(["q", "r", "s"], [["a", "x"], ["x"], ["b"]])
    assert usage.within(REGISTRY) == ToolUsage.of(["q", "s"], [["a"], ["b"]])
    with pytest.raises(UnknownToolError, match="'x'"):
        usage.pairs(REGISTRY)
