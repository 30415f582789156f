"""Whoever asks is told what the model that answered was not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from catalog import Backend, ModelProfile, PoolEntry
from gateway.upstreams.fake import FakeProvider
from gateway.wire.anthropic.request import messages_request
from gateway.wire.body import ChatRequest, read_chat
from gateway.wire.dropped_parameters import dropped_parameters
from gateway.wire.messages.request import read_messages
from gateway.wire.responses.request import read_responses
from tests.gateway.anthropic_provider import FakeAnthropic
from tests.gateway.running import HI, backend, running

SAMPLED = {"temperature": 0.2, "top_p": 0.5}


def to(kind: Any, provider: str, model: str) -> PoolEntry:
    profile = ModelProfile(id=f"{provider}/{model}", name=model)
    there = Backend(
        id="b", profile_id=profile.id, kind=kind, provider=provider, model_name=model, base_url="http://h/v1"
    )
    return PoolEntry(profile=profile, backend=there)


GPT, THINKER, LLAMA = (to("openai", "openai", "gpt-4o"), to("openai", "openai", "gpt-5"), to("vllm", "meta", "llama"))
OPUS, SONNET = (to("anthropic", "anthropic", name) for name in ("claude-opus-4-7", "claude-sonnet-4-5"))


def chat(**asked: Any) -> ChatRequest:
    return read_chat(orjson.dumps({"model": "auto", "messages": HI, **asked}))


def message(**asked: Any) -> ChatRequest:
    return read_messages(orjson.dumps({"model": "auto", "max_tokens": 9, "messages": HI, **asked}))


def response(**asked: Any) -> ChatRequest:
    return read_responses(orjson.dumps({"model": "auto", "input": "hi", **asked}))


@pytest.mark.parametrize(
    ("request_", "recipient", "names"),
    [
        *[(ask(**SAMPLED), GPT, ()) for ask in (chat, message, response)],
        *[(ask(**SAMPLED), LLAMA, ()) for ask in (chat, message, response)],
        *[(ask(**SAMPLED), THINKER, ("temperature", "top_p")) for ask in (chat, message, response)],
        *[(ask(**SAMPLED), OPUS, ("temperature", "top_p")) for ask in (chat, message, response)],
        *[(ask(**SAMPLED), SONNET, ("top_p",)) for ask in (chat, message, response)],
        (chat(), THINKER, ()),
        (chat(temperature=1), THINKER, ()),
        (chat(temperature=0.2, model="openai/gpt-5"), THINKER, ()),  # hears it from the model
        (message(temperature=0.2, model="claude-opus-4-7"), OPUS, ()),
        (message(top_k=3), OPUS, ("top_k",)),
        (
            chat(temperature=0.2, reasoning_effort="high"),
            to("anthropic", "anthropic", "claude-opus-4-6"),
            ("temperature",),
        ),
        (chat(temperature=0.2), PoolEntry(profile=GPT.profile), ()),
    ],
)
def test_what_is_left_out_is_what_the_backend_is_not_told(
    request_: ChatRequest, recipient: PoolEntry, names: tuple[str, ...]
) -> None:
    assert dropped_parameters(request_, recipient) == names
    if recipient.backend is None:
        return
    sent = orjson.loads(request_.for_backend(recipient.backend.model_name, recipient=recipient))
    if recipient.backend.kind == "anthropic" and request_.path(recipient) != "/messages":
        sent = messages_request(sent)
    asked = [name for name in ("temperature", "top_k", "top_p") if name in request_.body]
    assert tuple(name for name in asked if name not in sent) == names


THINKS = replace(LLAMA.profile, capabilities=frozenset({"reasoning"}))
BUDGET = {"type": "enabled", "budget_tokens": 2_048}
HARD = (
    chat(reasoning_effort="high"),
    message(output_config={"effort": "high"}, max_tokens=9_000),
    message(thinking=BUDGET, max_tokens=9_000),
    response(reasoning={"effort": "high"}),
)


@pytest.mark.parametrize(
    ("request_", "name"),
    [*zip(HARD[1:], ("output_config.effort", "thinking", "reasoning.effort"), strict=True)],
)
def test_an_effort_that_a_model_without_thoughts_is_not_told_is_left_out(request_: ChatRequest, name: str) -> None:
    sent = orjson.loads(request_.for_backend("llama", recipient=LLAMA))
    assert not sent.keys() & {"reasoning_effort", "thinking"}
    assert dropped_parameters(request_, LLAMA) == (name,)
    assert dropped_parameters(request_, replace(LLAMA, profile=THINKS)) == ()


def test_an_effort_that_is_told_as_it_came_is_not_left_out() -> None:
    assert dropped_parameters(HARD[0], LLAMA) == ()  # the model says itself whether it thinks
    assert dropped_parameters(HARD[2], OPUS) == ()
    assert dropped_parameters(HARD[1], SONNET) == ()
    for idle in (response(reasoning={"effort": "none"}), response(reasoning={"effort": "minimal"}), response()):
        assert dropped_parameters(idle, LLAMA) == ()


def test_an_old_claude_thinks_not_at_all_and_a_forced_call_leaves_no_room_for_thoughts() -> None:
    old = to("anthropic", "anthropic", "claude-3-5-haiku-20241022")
    assert dropped_parameters(HARD[0], old) == ("reasoning_effort",)
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    forced = chat(reasoning_effort="high", tools=tools, tool_choice="required")
    claude = replace(SONNET, profile=replace(SONNET.profile, capabilities=THINKS.capabilities))
    assert (dropped_parameters(HARD[0], claude), dropped_parameters(forced, claude)) == ((), ("reasoning_effort",))


def test_what_cannot_be_told_at_all_was_not_left_out() -> None:
    assert dropped_parameters(chat(temperature=0.2, logprobs=True), OPUS) == ()


@pytest.mark.loopback
@pytest.mark.parametrize("stream", [False, True])
async def test_the_answer_says_so(tmp_path: Path, stream: bool) -> None:
    async with (
        FakeAnthropic() as strong,
        FakeProvider() as cheap,
        running(
            replace(backend("strong", strong.url), kind="anthropic", model_name="claude-opus-4-7"),
            backend("cheap", cheap.url),
            tmp_path=tmp_path,
        ) as gateway,
    ):
        told = await gateway.chat(model="auto:best", temperature=0.2, stream=stream, routing={"explain": True})
        not_asked = await gateway.chat(model="auto:best", stream=stream)
        taken = await gateway.chat(model="cheap", temperature=0.2, stream=stream)
    assert told.headers["x-paretogate-left-out"] == "temperature"
    assert '"left_out":["temperature"]' in told.text.replace(" ", "")
    assert "x-paretogate-left-out" not in not_asked.headers
    assert "x-paretogate-left-out" not in taken.headers
    assert ["temperature" in asked for asked in (*strong.requests, *cheap.requests)] == [False, False, True]
