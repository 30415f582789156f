"""Names of tools on their way to a provider that refuses them, and back."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.upstreams.fake import FakeProvider
from gateway.wire.messages.request import read_messages
from gateway.wire.responses.request import read_responses
from gateway.wire.tool_names import NAMES, shortened
from tests.gateway.running import HI, STRONG, RunningGateway, backend, running

from .test_compatibility import at, sent

LONG = "mcp__plugin_jenkins-mcp-plugin_jenkins__jenkins_get_build_console"  # of 65 characters
LONGER = LONG + "_lines"


def tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


def called(name: str) -> dict[str, Any]:
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": '{"n": 1}'}}


@pytest.mark.parametrize(
    ("to", "taken"),
    [
        (at("openai", "gpt-4o"), r"[a-zA-Z0-9_-]{1,64}"),
        (at("mistral"), r"[a-zA-Z0-9_-]{1,64}"),
        (at("gemini", "gemini-3-pro"), r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}"),
        (at("azure", kind="litellm"), r"[a-zA-Z0-9_-]{1,64}"),
        (at("anthropic", kind="anthropic"), r"[a-zA-Z0-9_-]{1,128}"),
    ],
)
def test_a_tool_has_one_name_that_is_taken_wherever_it_stands(to: Any, taken: str) -> None:
    names = ["x" * 129, "x" * 128 + "y", "9/strange", "list.files", "ok"]
    for name in names:
        history = [
            *HI,
            {"role": "assistant", "content": None, "tool_calls": [called(name)]},
            {"role": "tool", "tool_call_id": "call_1", "name": name, "content": "1"},
        ]
        forced = {"type": "function", "function": {"name": name}}
        among = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [forced]}}
        told = sent(to, tools=[tool(name)], tool_choice=forced, messages=history)
        [short] = {
            told["tools"][0]["function"]["name"],
            told["tool_choice"]["function"]["name"],
            told["messages"][1]["tool_calls"][0]["function"]["name"],
            told["messages"][2]["name"],
        }
        assert re.fullmatch(taken, short)
        chosen = sent(to, tools=[tool(name)], tool_choice=among)["tool_choice"]["allowed_tools"]["tools"]
        assert chosen == [{"type": "function", "function": {"name": short}}]
    shorts = [t["function"]["name"] for t in sent(to, tools=[tool(name) for name in names])["tools"]]
    assert len(set(shorts)) == len(names)
    assert shorts[-1] == "ok"


def test_a_name_does_not_depend_on_what_else_is_declared() -> None:
    alone, among = (sent(at("openai"), tools=tools)["tools"] for tools in ([tool(LONG)], [tool(LONGER), tool(LONG)]))
    assert alone == among[1:]


def test_names_that_are_taken_pass_as_bytes_and_servers_of_open_models_take_all() -> None:
    assert sent(at("openai"), tools=[tool("x" * 64)])["tools"] == [tool("x" * 64)]
    assert sent(at("anthropic", kind="anthropic"), tools=[tool(LONG)])["tools"] == [tool(LONG)]
    for to in (at("meta", kind="vllm"), at("nobody"), at("x", kind="ollama"), at("x", kind="embedded")):
        assert sent(to, tools=[tool(LONG)])["tools"] == [tool(LONG)]


def test_namespaces_of_responses_make_names_that_fit() -> None:
    member = {"type": "function", "name": "x" * 40, "parameters": {"type": "object"}}
    space = {"type": "namespace", "name": "y" * 40, "description": "z", "tools": [member]}
    request = read_responses(orjson.dumps({"model": "auto", "input": "hi", "tools": [space]}))
    told = orjson.loads(request.for_backend("m", recipient=at("openai", "gpt-4o")))
    assert NAMES.fullmatch(told["tools"][0]["function"]["name"])


def test_claude_itself_gets_the_clients_own_names() -> None:
    declared = [{"name": LONG, "input_schema": {"type": "object"}}]
    request = read_messages(orjson.dumps({"model": "auto", "max_tokens": 9, "messages": HI, "tools": declared}))
    claude = at("anthropic", "claude-sonnet-4-5", kind="anthropic")
    assert orjson.loads(request.for_backend("m", recipient=claude))["tools"] == declared
    assert request.restorer(claude, request.path(claude)) is None


async def told_by(gateway: RunningGateway, door: str, *, stream: bool) -> str:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    asked: dict[str, dict[str, Any]] = {
        "chat/completions": {"messages": HI, "tools": [tool(LONG), tool(LONGER)]},
        "messages": {"messages": HI, "max_tokens": 9, "tools": [{"name": LONG, "input_schema": schema}]},
        "responses": {"input": "hi", "tools": [{"type": "function", "name": LONG, "parameters": schema}]},
    }
    answer = await gateway.client.post(f"/v1/{door}", json={"model": "auto", "stream": stream, **asked[door]})
    assert answer.status_code == 200
    return answer.text


@pytest.mark.loopback
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("door", ["chat/completions", "messages", "responses"])
async def test_the_client_hears_its_own_names(
    tmp_path: Path, door: str, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    can_call_tools = replace(STRONG, capabilities=frozenset({"streaming", "tools"}))
    monkeypatch.setattr("tests.gateway.running.STRONG", can_call_tools)
    short = shortened(LONG, NAMES)
    async with FakeProvider() as provider:
        provider.answer_with({"content": f'I call "{short[:9]}".', "tool_calls": [called(short)]}, finish_reason="stop")
        there = replace(backend("strong", provider.url), provider="openai")
        async with running(there, tmp_path=tmp_path) as gateway:
            told = await told_by(gateway, door, stream=stream)
            outcome = gateway.journal.of("outcome")[0]
    assert provider.requests[0]["tools"][0]["function"]["name"] == short
    assert short not in told
    assert f'"{LONG}"' in told
    assert outcome["tools_called"] == [LONG]
