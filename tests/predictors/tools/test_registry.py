import pytest

from predictors.tools import InvalidToolError, Tool, ToolRegistry, UnknownToolError


def registry(*names: str) -> ToolRegistry:
    return ToolRegistry(tools=tuple(Tool(tool_id=name, name=name) for name in names))


def test_two_tools_of_one_id_are_refused() -> None:
    with pytest.raises(InvalidToolError, match="'a' appears twice"):
        registry("a", "b", "a")


def test_a_tool_needs_an_id() -> None:
    with pytest.raises(InvalidToolError, match="must have an id"):
        Tool(tool_id="", name="anonymous")


def test_adding_and_removing_make_new_versions_and_leave_the_old_one_alone() -> None:
    first = registry("a", "b")
    second = first.with_tools([Tool(tool_id="c", name="c")])
    third = second.without(["a"])
    assert [t.tool_id for t in first] == ["a", "b"]
    assert [t.tool_id for t in third] == ["b", "c"]
    assert (first.version, second.version, third.version) == (1, 2, 3)


def test_a_tool_of_a_known_id_takes_the_place_of_the_old_one() -> None:
    changed = registry("a", "b").with_tools([Tool(tool_id="a", name="a", description="new")])
    assert [t.tool_id for t in changed] == ["a", "b"]
    assert changed.tools[0].description == "new"


def test_the_change_between_two_versions_names_every_tool_that_moved() -> None:
    older = registry("same", "changes", "goes")
    newer = older.without(["goes"]).with_tools(
        [Tool(tool_id="changes", name="changes", description="new"), Tool(tool_id="comes", name="comes")]
    )
    change = newer.change_since(older)
    assert (change.added, change.changed, change.removed) == (("comes",), ("changes",), ("goes",))


def test_the_digest_depends_on_content_and_not_on_order_or_version() -> None:
    one, other = registry("a", "b"), registry("b", "a")
    assert one.digest == other.digest
    assert one.with_tools([Tool(tool_id="c", name="c")]).digest != one.digest


def test_asking_for_a_tool_that_is_not_there_names_it() -> None:
    with pytest.raises(UnknownToolError, match="'nope'") as caught:
        registry("a").without(["nope"])
    assert caught.value.tool_id == "nope"


def test_an_openai_declaration_becomes_a_tool_with_its_schema_as_text() -> None:
    tool = Tool.from_openai({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}})
    assert (tool.tool_id, tool.description, tool.parameters) == ("f", "", '{"type": "object"}')


def test_a_declaration_without_a_name_is_refused() -> None:
    with pytest.raises(InvalidToolError, match="needs a name"):
        Tool.from_openai({"type": "function", "function": {}})
    with pytest.raises(InvalidToolError, match="needs a name"):
        Tool.from_openai("f")  # type: ignore[arg-type] # as a file may hold it
