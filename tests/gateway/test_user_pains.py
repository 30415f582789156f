"""What users of today's gateways suffer from, as far as no other test says it; `docs/pains.md` lists every one."""

import importlib
import inspect
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from gateway.upstreams.fake import FakeProvider, Misbehaviour
from predictors import read_query
from tests.gateway.governance.test_governor import REQUIRED, ask, make_key
from tests.gateway.running import HI, backend, pair, running
from tests.gateway.wire.chats import events_in

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "pains.md"
loopback = pytest.mark.loopback
refusing = Misbehaviour(fault="status", status=401)


def test_every_pain_is_in_the_table_and_every_test_that_it_names_exists() -> None:
    text = TABLE.read_text(encoding="utf-8")
    numbers = [int(number) for number in re.findall(r"^\| (\d+)\b", text, flags=re.MULTILINE)]
    assert sorted(set(numbers)) == list(range(1, 35))
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) >= 34
    for path, name in named:
        module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
        assert inspect.isfunction(getattr(module, name, None)), f"{path}::{name}"


@loopback
@pytest.mark.parametrize("stream", [False, True])
async def test_a_model_that_was_named_is_never_replaced_by_another(tmp_path: Path, stream: bool) -> None:
    """Pain 10: a cheap model was chosen and a dear one billed (langchain-ai/openwiki#85, GEMISIS/leviath#558)."""
    async with pair(tmp_path) as (gateway, strong, cheap):
        cheap.always_misbehave("cheap-raw", refusing)
        answer = await gateway.chat(model="maker/cheap", stream=stream)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_failed")
    assert strong.requests == []


@loopback
async def test_a_conversation_outlives_the_model_that_signed_its_thoughts(tmp_path: Path) -> None:
    """Pain 12: signatures that only one provider reads poison the thread once it is away (BerriAI/litellm#32140)."""
    thought = {"type": "thinking", "thinking": "hm", "signature": "c2lnbmVk"}
    past = {"role": "assistant", "content": "strong words", "thinking_blocks": [thought]}
    async with pair(tmp_path) as (gateway, strong, cheap):
        await gateway.chat(routing={"policy": "best", "session_id": "s"})
        strong.always_misbehave("strong-raw", Misbehaviour(fault="reset"))
        for _ in range(6):  # until the breaker knows
            await gateway.chat(model="strong")
        turns = [*HI, past, {"role": "user", "content": "go on"}]
        answer = await gateway.chat(messages=turns, routing={"policy": "best", "session_id": "s"})
    assert (answer.status_code, answer.headers["x-paretogate-model"]) == (200, "maker/cheap")
    assert "thinking_blocks" not in cheap.requests[-1]["messages"][1]
    assert cheap.requests[-1]["messages"][1]["content"] == "strong words"


@loopback
async def test_a_turn_that_only_says_continue_has_a_decision_on_record(tmp_path: Path) -> None:
    """Pain 14: rules misroute such turns and log no decision (musistudio/claude-code-router#1135)."""
    hard = "Prove that every finite division ring is commutative."
    turns = [
        {"role": "user", "content": hard},
        {"role": "assistant", "content": "so"},
        {"role": "user", "content": "continue"},
    ]
    assert hard in read_query({"messages": turns}).text  # what the forecast rests on is the conversation
    async with pair(tmp_path) as (gateway, _, __):
        answer = await gateway.chat(messages=turns)
    (decision,) = gateway.journal.of("decision")
    assert decision["decision_id"] == answer.headers["x-paretogate-decision-id"]
    assert {candidate["id"] for candidate in decision["candidates"]} == {"maker/strong", "maker/cheap"}


@loopback
async def test_equal_requests_are_each_answered_anew_and_an_error_is_nobodys_answer(tmp_path: Path) -> None:
    """Pain 25: another question's answer, or an error body, out of a cache (litellm#12234, semantic-router#2130)."""
    async with pair(tmp_path) as (gateway, strong, _):
        strong.misbehave(Misbehaviour(fault="status", status=400))
        statuses = [(await gateway.chat(model="strong")).status_code for _ in range(3)]
    assert statuses == [400, 200, 200]
    assert len(strong.requests) == 3


@loopback
@pytest.mark.parametrize("token", ["' OR '1'='1", "sk-pg-' OR 1=1 --", "sk-pg-000000000000-" + "%" * 43, "*", "null"])
async def test_a_key_is_looked_up_and_never_spoken_to_a_database(tmp_path: Path, token: str) -> None:
    """Pain 29: SQL injection in the verification of keys (CVE-2026-42208)."""
    make_key(tmp_path)
    async with pair(tmp_path, settings=REQUIRED) as (gateway, strong, cheap):
        answer = await ask(gateway, {"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    assert strong.requests == cheap.requests == []


@loopback
@pytest.mark.parametrize("stream", [False, True])
async def test_a_calls_arguments_arrive_whole_at_a_client_of_messages(tmp_path: Path, stream: bool) -> None:
    """Pain 32: calls whose arguments arrive empty break Claude Code (maximhq/bifrost#1354)."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"path": "/a b", "n": 3}'}}
    asked = {"model": "auto", "max_tokens": 9, "messages": HI, "stream": stream}
    async with FakeProvider() as provider, running(backend("cheap", provider.url), tmp_path=tmp_path) as gateway:
        provider.answer_with({"tool_calls": [call]}, finish_reason="tool_calls")
        answer = await gateway.client.post("/v1/messages", json=asked)
    if stream:
        deltas = [e["delta"] for e in events_in(answer.content) if e["type"] == "content_block_delta"]
        arguments = orjson.loads("".join(delta["partial_json"] for delta in deltas))
    else:
        arguments = answer.json()["content"][0]["input"]
    assert arguments == {"path": "/a b", "n": 3}


class Thinking(FakeProvider):
    """Refuses what OpenAI's models that think refuse, in OpenAI's words."""

    async def _answer(self, request: web.Request, body: Mapping[str, Any], how: Misbehaviour | None) -> Any:
        for name, value in (("max_tokens", None), ("temperature", 1)):
            if body.get(name) not in (None, value):
                message = f"Unsupported parameter: '{name}' is not supported with this model."
                error = {"message": message, "type": "invalid_request_error", "param": name}
                return web.json_response({"error": {**error, "code": "unsupported_parameter"}}, status=400)
        return await super()._answer(request, body, how)


@loopback
@pytest.mark.parametrize(
    ("door", "asked"),
    [
        ("/v1/chat/completions", {"messages": HI, "max_tokens": 40}),
        ("/v1/completions", {"prompt": "hi", "max_tokens": 40}),
        ("/v1/messages", {"messages": HI, "max_tokens": 40}),
        ("/v1/responses", {"input": "hi", "max_output_tokens": 40}),
    ],
)
async def test_who_cannot_know_which_model_answers_need_not_know_what_it_refuses(
    tmp_path: Path, door: str, asked: dict[str, Any]
) -> None:
    """The README's own request, with a key of OpenAI's: a 400 at every model that thinks."""
    async with Thinking() as provider:
        thinking = replace(backend("strong", provider.url), provider="openai", model_name="gpt-5")
        async with running(thinking, tmp_path=tmp_path) as gateway:
            answer = await gateway.client.post(door, json={"model": "auto", "temperature": 0, **asked})
            named = await gateway.client.post(door, json={"model": "strong", "temperature": 0, **asked})
    assert answer.status_code == 200
    assert provider.requests[0]["max_completion_tokens"] == 40
    assert (named.status_code, "'temperature' is not supported" in named.text) == (400, True)
    assert len(provider.requests) == 2
