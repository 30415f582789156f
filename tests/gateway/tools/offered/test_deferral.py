from pathlib import Path
from typing import Any

import pytest

from gateway.tools.offered.deferral import held_back, with_references
from gateway.tools.offered.offer import Event, read_offer
from tests.gateway.running import CHAT, pair
from tests.gateway.tools.offers import function, functions, history

SETTINGS = {"tools": {"deadline_ms": 60_000, "search_limit": 2}}
ASK = "What is the weather?"


def names(request: dict[str, Any]) -> list[str]:
    return [tool["function"]["name"] for tool in request["tools"]]


def test_an_offer_without_marks_is_left_as_it_is() -> None:
    assert held_back(read_offer({"tools": functions(3)})) is None


@pytest.mark.parametrize(
    "search", [{"type": "tool_search"}, {"type": "openrouter:tool_search"}, {"type": "tool_search_tool_bm25_20251119"}]
)
def test_the_search_tool_and_the_marks_are_taken_out(search: dict[str, Any]) -> None:
    held = held_back(read_offer({"tools": [search, function("a"), {**function("b"), "defer_loading": True}]}))
    assert held is not None
    assert (list(held.loaded.declared), list(held.deferred.declared)) == (["a"], ["b"])
    assert held.deferred.declared["b"] == function("b")


@pytest.mark.loopback
@pytest.mark.parametrize("stream", [False, True])
async def test_chat_loads_what_is_found_behind_what_was_loaded(tmp_path: Path, stream: bool) -> None:
    tools = [{"type": "tool_search"}, function("notes"), *({**t, "defer_loading": True} for t in functions())]
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, cheap):
        answer = await gateway.client.post(
            CHAT, json={"model": "cheap", "messages": history(ASK), "tools": tools, "stream": stream}
        )
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-paretogate-tools"] == "42->3"
        sent = names(cheap.requests[0])
        assert sent[0] == "notes"
        assert "weather_tool" in sent[1:]
        assert "defer_loading" not in str(cheap.requests[0])


@pytest.mark.loopback
async def test_a_deferred_tool_is_not_loaded_because_the_instructions_name_it(tmp_path: Path) -> None:
    """Agents list there what their search could find."""
    tools = [{"type": "tool_search"}, *({**t, "defer_loading": True} for t in functions())]
    told = {"role": "system", "content": "To be found by search: gym_tool, exam_tool, visa_tool"}
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, cheap):
        await gateway.client.post(CHAT, json={"model": "cheap", "messages": [told, *history(ASK)], "tools": tools})
    assert not {"gym_tool", "exam_tool", "visa_tool"} & set(names(cheap.requests[0]))


@pytest.mark.loopback
async def test_messages_and_responses_defer_in_their_own_words(tmp_path: Path) -> None:
    plain = [tool["function"] for tool in functions()]
    claude = [
        {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
        *(
            {"name": t["name"], "description": t["description"], "input_schema": t["parameters"], "defer_loading": True}
            for t in plain
        ),
    ]
    openai = [{"type": "tool_search"}, *({"type": "function", **t, "defer_loading": True} for t in plain)]
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, cheap):
        for path, body in (
            ("/v1/messages", {"max_tokens": 9, "messages": history(ASK), "tools": claude}),
            ("/v1/responses", {"input": ASK, "tools": openai}),
        ):
            answer = await gateway.client.post(path, json={"model": "cheap", **body})
            assert answer.status_code == 200, answer.text
            assert "weather_tool" in names(cheap.requests[-1])
            assert len(names(cheap.requests[-1])) == 2


@pytest.mark.loopback
async def test_what_the_clients_own_search_found_is_loaded(tmp_path: Path) -> None:
    tools = [
        {"name": t["function"]["name"], "input_schema": {"type": "object"}, "defer_loading": True} for t in functions()
    ]
    search = {"name": "find", "input_schema": {"type": "object"}}
    messages = [
        {"role": "user", "content": ASK},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "find", "input": {}}]},
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "content": [{"type": "tool_reference", "tool_name": "printer_tool"}],
                }
            ],
        },
    ]
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, cheap):
        answer = await gateway.client.post(
            "/v1/messages", json={"model": "cheap", "max_tokens": 9, "messages": messages, "tools": [search, *tools]}
        )
        assert answer.status_code == 200, answer.text
        assert {"find", "printer_tool"} <= set(names(cheap.requests[0]))


@pytest.mark.loopback
async def test_a_model_that_searches_itself_gets_everything_unchanged(tmp_path: Path) -> None:
    tools = [{"type": "tool_search"}, {**function("b"), "defer_loading": True}]
    settings = {"tools": {"native_search": ["cheap"]}}
    async with pair(tmp_path, settings=settings) as (gateway, _, cheap):
        await gateway.client.post(CHAT, json={"model": "cheap", "messages": history(ASK), "tools": tools})
        assert cheap.requests[0]["tools"] == tools


def test_references_are_found_at_any_depth_and_stand_behind_the_question_before_them() -> None:
    block = {"type": "tool_result", "content": [{"type": "tool_reference", "tool_name": "a"}]}
    found = {"role": "user", "content": [block]}
    asked = Event(asked="hi")
    told = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant"}, found]}
    assert with_references([asked, Event(called="find")], told) == (asked, Event(called="a"), Event(called="find"))
    assert with_references([asked], None) == (asked,)
    assert with_references([], {"messages": [None, 3, found]}) == (Event(called="a"),)


@pytest.mark.loopback
async def test_what_a_search_finds_later_stands_behind_what_was_loaded_before(tmp_path: Path) -> None:
    tools = [
        {"name": t["function"]["name"], "description": t["function"]["description"], "input_schema": {}}
        | {"defer_loading": True}
        for t in functions()
    ]
    search = {"name": "find", "input_schema": {"type": "object"}}
    asked = {"role": "user", "content": "Book a train and a taxi to the museum"}
    calls = {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "find", "input": {}}]}
    block = {"type": "tool_reference", "tool_name": "currency_tool"}  # declared ahead of all that the question found
    found = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [block]}]}
    said = {"role": "assistant", "content": "Done."}
    thanks = {"role": "user", "content": "And the weather?"}
    sent = []
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, cheap):
        for messages in ([asked], [asked, calls, found], [asked, calls, found, said, thanks]):
            body = {"model": "cheap", "max_tokens": 9, "messages": messages, "tools": [search, *tools]}
            answer = await gateway.client.post("/v1/messages", json=body)
            assert answer.status_code == 200, answer.text
            sent.append(names(cheap.requests[-1]))
    assert sent[1] == [*sent[0], "currency_tool"]
    assert sent[2][: len(sent[1])] == sent[1]
