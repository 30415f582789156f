"""Tool search as the official SDKs of OpenAI and Anthropic write and read it, through a running gateway."""

from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from openai.types.responses import ResponseFunctionToolCall, ResponseToolSearchCall

from tests.gateway.running import RunningGateway, pair

from .offers import functions

pytestmark = pytest.mark.loopback
SETTINGS = {"tools": {"deadline_ms": 60_000, "search_limit": 2}}
ASK = "What is the weather?"
PLAIN = [tool["function"] for tool in functions()]
SEARCH: Any = {"type": "tool_search", "execution": "client", "description": "Load tools by their names."}


def call(name: str, arguments: str) -> dict[str, Any]:
    return {"tool_calls": [{"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}]}


def names(request: dict[str, Any]) -> list[str]:
    return [tool["function"]["name"] for tool in request["tools"]]


def by_openai(gateway: RunningGateway) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0)


async def test_a_client_of_openai_searches_itself_and_then_calls_what_it_found(tmp_path: Path) -> None:
    tools: Any = [SEARCH, *({"type": "function", "strict": None, **t, "defer_loading": True} for t in PLAIN)]
    said: Any = [{"role": "user", "content": ASK}]
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, cheap), by_openai(gateway) as client:
        cheap.answer_with(call("tool_search", '{"paths": ["weather_tool"]}'), finish_reason="tool_calls")
        first = await client.responses.create(model="cheap", input=said, tools=tools)
        (search,) = first.output
        assert isinstance(search, ResponseToolSearchCall)
        assert (search.execution, search.call_id, search.arguments) == ("client", "c1", {"paths": ["weather_tool"]})
        assert names(cheap.requests[0]) == ["tool_search"]
        assert "weather_tool" in cheap.requests[0]["tools"][0]["function"]["description"]
        assert "execution" not in str(cheap.requests[0])

        found = {"type": "tool_search_output", "call_id": "c1", "execution": "client", "tools": [tools[1]]}
        said += [search.model_dump(exclude_none=True), found]
        cheap.answer_with(call("weather_tool", '{"query": "now"}'), finish_reason="tool_calls")
        second = await client.responses.create(model="cheap", input=said, tools=tools)
        (called,) = second.output
        assert isinstance(called, ResponseFunctionToolCall)
        assert called.name == "weather_tool"
        assert names(cheap.requests[1]) == ["tool_search", "weather_tool"]
        roles = [message["role"] for message in cheap.requests[1]["messages"]]
        assert roles == ["user", "assistant", "tool"]


async def test_a_streamed_search_ends_as_the_whole_one(tmp_path: Path) -> None:
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, cheap), by_openai(gateway) as client:
        cheap.answer_with(call("tool_search", '{"paths": ["a"]}'), finish_reason="tool_calls")
        events = [
            event
            async for event in await client.responses.create(model="cheap", input=ASK, tools=[SEARCH], stream=True)
        ]
    kinds = [event.type for event in events]
    assert "response.function_call_arguments.delta" not in kinds
    done = next(event for event in events if event.type == "response.output_item.done")
    assert isinstance(done.item, ResponseToolSearchCall)
    assert done.item.arguments == {"paths": ["a"]}
    assert events[-1].type == "response.completed"
    assert events[-1].response.output == [done.item]


async def test_a_call_into_a_namespace_comes_back_with_it(tmp_path: Path) -> None:
    members = [{"type": "function", **tool, "defer_loading": True} for tool in PLAIN]
    tools: Any = [
        {"type": "namespace", "name": "home", "description": "At home.", "tools": members},
        {"type": "tool_search"},
    ]
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, cheap), by_openai(gateway) as client:
        cheap.answer_with(call("home__weather_tool", '{"query": "x"}'), finish_reason="tool_calls")
        answer = await client.responses.create(model="cheap", input=ASK, tools=tools)
    (called,) = answer.output
    assert isinstance(called, ResponseFunctionToolCall)
    assert (called.namespace, called.name) == ("home", "weather_tool")
    assert "home__weather_tool" in names(cheap.requests[0])
    assert len(names(cheap.requests[0])) == 2


@pytest.mark.parametrize("kind", ["tool_search_tool_regex_20251119", "tool_search_tool_bm25_20251119"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_of_anthropic_defers_tools(tmp_path: Path, kind: str, stream: bool) -> None:
    tools: Any = [
        {"type": kind, "name": kind.removesuffix("_20251119")},
        *(
            {"name": t["name"], "description": t["description"], "input_schema": t["parameters"], "defer_loading": True}
            for t in PLAIN
        ),
    ]
    async with (
        pair(tmp_path, settings=SETTINGS) as (gateway, _, cheap),
        anthropic.AsyncAnthropic(base_url=gateway.url, api_key="none", max_retries=0) as client,
    ):
        cheap.answer_with(call("weather_tool", '{"query": "x"}'), finish_reason="tool_calls")
        asked: Any = {"model": "cheap", "max_tokens": 9, "messages": [{"role": "user", "content": ASK}], "tools": tools}
        if stream:
            async with client.messages.stream(**asked) as events:
                answer = await events.get_final_message()
        else:
            answer = await client.messages.create(**asked)
    (block,) = answer.content
    assert block.type == "tool_use"
    assert (block.name, block.input) == ("weather_tool", {"query": "x"})
    assert "weather_tool" in names(cheap.requests[0])
    assert len(names(cheap.requests[0])) == 2


async def test_what_anthropics_own_search_found_earlier_is_kept_and_loaded(tmp_path: Path) -> None:
    tools: Any = [
        {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"},
        *({"name": t["name"], "input_schema": t["parameters"], "defer_loading": True} for t in PLAIN),
    ]
    history: Any = [
        {"role": "user", "content": "Print it."},
        {
            "role": "assistant",
            "content": [
                {"type": "server_tool_use", "id": "s1", "name": "tool_search_tool_bm25", "input": {"query": "print"}},
                {
                    "type": "tool_search_tool_result",
                    "tool_use_id": "s1",
                    "content": {
                        "type": "tool_search_tool_search_result",
                        "tool_references": [{"type": "tool_reference", "tool_name": "printer_tool"}],
                    },
                },
                {"type": "tool_use", "id": "t1", "name": "printer_tool", "input": {"query": "x"}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "done"}]},
    ]
    async with (
        pair(tmp_path, settings=SETTINGS) as (gateway, _, cheap),
        anthropic.AsyncAnthropic(base_url=gateway.url, api_key="none", max_retries=0) as client,
    ):
        await client.messages.create(model="cheap", max_tokens=9, messages=history, tools=tools)
        assert "printer_tool" in names(cheap.requests[0])
