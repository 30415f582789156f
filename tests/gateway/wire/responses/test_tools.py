from typing import Any

import orjson
import pytest

from gateway.errors import InvalidRequestError
from gateway.wire.responses.request import read_responses
from gateway.wire.responses.tools import called_item, is_search_call, search_arguments
from tests.effort import calls_made

SEARCH = {"type": "tool_search", "execution": "client"}
CRM = {"type": "namespace", "name": "crm", "description": "Customers.", "tools": [{"type": "function", "name": "list"}]}


def deferred(name: str) -> dict[str, Any]:
    return {"type": "function", "name": name, "defer_loading": True}


def read(**told: Any) -> dict[str, Any]:
    return dict(read_responses(orjson.dumps({"model": "m", "input": "hi", **told})).body)


def names(body: dict[str, Any]) -> list[str]:
    return [tool["function"]["name"] for tool in body["tools"]]


def test_so_many_tools_are_so_many_times_the_work() -> None:
    def calls(n_tools: int) -> int:
        tools = [{"type": "function", "name": f"tool_{i}"} for i in range(n_tools)]
        return calls_made(lambda: read(tools=[SEARCH, *tools]))

    assert calls(800) < 6 * calls(200)  # four times; each tool held against each of them would be sixteen times


def test_a_clients_search_is_a_function_that_names_what_it_could_load() -> None:
    search, held = read(tools=[{**SEARCH, "description": "Find."}, deferred("a")])["tools"]
    assert search["function"]["description"] == "Find.\nTools to load: a"
    assert search["function"]["parameters"]["required"] == ["paths"]
    assert held["defer_loading"] is True


def test_a_clients_search_keeps_its_own_parameters() -> None:
    parameters = {"type": "object", "properties": {"goal": {"type": "string"}}}
    (search,) = read(tools=[{**SEARCH, "parameters": parameters}])["tools"]
    assert search["function"]["parameters"] == parameters


def test_what_the_client_found_is_declared_last_and_told_as_a_result() -> None:
    history = [
        {"role": "user", "content": "hi"},
        {"type": "tool_search_call", "call_id": "c1", "execution": "client", "arguments": {"paths": ["b"]}},
        {"type": "tool_search_output", "call_id": "c1", "execution": "client", "tools": [deferred("b")]},
    ]
    body = read(input=history, tools=[SEARCH, deferred("b"), {"type": "function", "name": "a"}])
    assert names(body) == ["tool_search", "a", "b"]
    assert "defer_loading" not in body["tools"][-1]
    call = body["messages"][1]["tool_calls"][0]
    assert call == {"id": "c1", "type": "function", "function": {"name": "tool_search", "arguments": '{"paths":["b"]}'}}
    assert body["messages"][2] == {"role": "tool", "tool_call_id": "c1", "content": "These tools are loaded now: b"}


def test_what_a_servers_search_found_is_declared_and_needs_no_words() -> None:
    found = {"type": "tool_search_output", "call_id": None, "execution": "server", "tools": [CRM]}
    call = {"type": "tool_search_call", "call_id": None, "execution": "server", "arguments": {"paths": ["crm"]}}
    body = read(input=[{"role": "user", "content": "hi"}, call, found])
    assert names(body) == ["crm__list"]
    assert len(body["messages"]) == 1


def test_additional_tools_are_declared() -> None:
    more = {"type": "additional_tools", "role": "developer", "tools": [{"type": "function", "name": "late"}]}
    assert names(read(input=[{"role": "user", "content": "hi"}, more])) == ["late"]


def test_a_namespace_is_in_the_names_of_its_functions_and_back() -> None:
    body = read(
        tools=[CRM],
        tool_choice={"type": "function", "name": "list", "namespace": "crm"},
        input=[
            {"role": "user", "content": "hi"},
            {"type": "function_call", "call_id": "c", "name": "list", "namespace": "crm", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "none"},
        ],
    )
    (tool,) = body["tools"]
    assert tool["function"] == {"name": "crm__list", "description": "Customers."}
    assert body["tool_choice"]["function"]["name"] == "crm__list"
    assert body["messages"][1]["tool_calls"][0]["function"]["name"] == "crm__list"
    assert called_item("crm__list", {"tools": [CRM]}) == {"name": "list", "namespace": "crm"}
    assert called_item("erp__list", {"tools": [CRM]}) == {"name": "erp__list"}


def test_only_a_declared_search_makes_a_call_a_search() -> None:
    assert is_search_call("tool_search", {"tools": [SEARCH]})
    assert not is_search_call("tool_search", {"tools": [{"type": "function", "name": "tool_search"}]})
    assert search_arguments('{"paths":["a"]}') == {"paths": ["a"]}
    assert search_arguments("{broken") == "{broken"


@pytest.mark.parametrize(
    ("tools", "where"),
    [
        ([{"type": "tool_search", "execution": "elsewhere"}], "tools[0].execution"),
        ([{"type": "tool_search", "parameters": {}}], "tools[0].parameters"),
        ([SEARCH, {"type": "function", "name": "tool_search"}], "tools"),
        ([{**CRM, "tools": [{"type": "custom", "name": "x"}]}], "tools[0].tools[0].type"),
        ([{**CRM, "tools": "none"}], "tools[0].tools"),
        (["text"], "tools[0]"),
    ],
)
def test_what_cannot_be_is_refused_by_its_place(tools: list[Any], where: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        read(tools=tools)
    assert refused.value.param == where
