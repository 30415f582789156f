"""Gemini's signatures of its calls pass through protocols without a place for them, back to Gemini alone."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from catalog import PoolEntry
from gateway.wire.messages.answer import message_of
from gateway.wire.messages.request import read_messages
from gateway.wire.messages.stream import MessagesStream
from gateway.wire.reasoning_signatures import seal
from gateway.wire.responses.answer import response_of
from gateway.wire.responses.request import read_responses
from gateway.wire.responses.stream import ResponsesStream

from .chats import a_reader, asked_by_messages, asked_by_responses, events_in, streamed, tool_call, whole
from .test_compatibility import HI, at

SIGNATURE = {"google": {"thought_signature": "EqQBCp8B"}}
FIRST = {**tool_call("look", '{"at":1}', call_id="call_a"), "extra_content": SIGNATURE}
SECOND = tool_call("look", '{"at":2}', call_id="call_b")
FLAT = PoolEntry(profile=at("google", "gemini-3-pro").profile, backend=at("gemini", "gemini-3-pro").backend)
STAND_IN = {"google": {"thought_signature": "skip_thought_signature_validator"}}
FUNCTION = {"type": "function", "name": "look", "parameters": {"type": "object"}}


def deltas() -> list[dict[str, Any]]:
    return [{"tool_calls": [{"index": 0, **FIRST}]}, {"tool_calls": [{"index": 1, **SECOND}]}]


def as_message(*, stream: bool) -> list[dict[str, Any]]:
    """What a client of Messages has of the turn."""
    answering = replace(asked_by_messages(), maker="google")
    if not stream:
        message = message_of(whole({"content": None, "tool_calls": [FIRST, SECOND]}, "tool_calls"), answering)
        blocks: list[dict[str, Any]] = orjson.loads(orjson.dumps(message["content"]))
        return blocks
    told = events_in(MessagesStream(answering, a_reader()).take(streamed(*deltas(), finish="tool_calls")))
    blocks = [event["content_block"] for event in told if event["type"] == "content_block_start"]
    for event in told:
        if event["type"] == "content_block_delta":
            blocks[event["index"]]["input"] = orjson.loads(event["delta"]["partial_json"])
    return blocks


def as_items(*, stream: bool) -> list[dict[str, Any]]:
    """What a client of Responses has of the turn."""
    answering = replace(asked_by_responses(include=["reasoning.encrypted_content"], tools=[FUNCTION]), maker="google")
    if not stream:
        response = response_of(whole({"content": None, "tool_calls": [FIRST, SECOND]}, "tool_calls"), answering)
    else:
        told = events_in(ResponsesStream(answering).take(streamed(*deltas(), finish="tool_calls")))
        response = told[-1]["response"]
    items: list[dict[str, Any]] = orjson.loads(orjson.dumps(response["output"]))
    return items


def next_turn(door: str, *, stream: bool) -> Any:
    if door == "messages":
        turn = {"role": "assistant", "content": as_message(stream=stream)}
        results = [{"type": "tool_result", "tool_use_id": name, "content": "1"} for name in ("call_a", "call_b")]
        said = [*HI, turn, {"role": "user", "content": results}]
        return read_messages(orjson.dumps({"model": "auto", "max_tokens": 9, "messages": said}))
    outputs = [{"type": "function_call_output", "call_id": name, "output": "1"} for name in ("call_a", "call_b")]
    return read_responses(orjson.dumps({"model": "auto", "input": [*HI, *as_items(stream=stream), *outputs]}))


def calls_told(request: Any, to: PoolEntry) -> list[dict[str, Any]]:
    told = orjson.loads(request.for_backend("m", recipient=to))
    turn = told["messages"][1]
    assert "reasoning_content" not in turn
    calls: list[dict[str, Any]] = turn["tool_calls"]
    return calls


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("door", ["messages", "responses"])
def test_gemini_has_its_signature_back(door: str, stream: bool) -> None:
    assert calls_told(next_turn(door, stream=stream), FLAT) == [FIRST, SECOND]


@pytest.mark.parametrize("door", ["messages", "responses"])
def test_nobody_else_gets_it(door: str) -> None:
    request = next_turn(door, stream=False)
    for other in (at("openai", "gpt-5"), at("meta", kind="vllm"), at("groq"), at("anthropic", kind="litellm")):
        assert b"EqQBCp8B" not in request.for_backend("m", recipient=other)
        assert "extra_content" not in calls_told(request, other)[0]
    claude = at("anthropic", "claude-sonnet-4-5", kind="anthropic")
    told = request.for_backend("m", recipient=claude)
    assert b"EqQBCp8B" not in told
    assert b"pg1." not in told


def test_a_forged_or_damaged_mark_is_no_signature() -> None:
    for mark in (
        seal("google", [{"type": "signature_of_call", "call_id": {"a": 1}, "extra_content": SIGNATURE}]),
        seal("google", [{"type": "signature_of_call", "call_id": "another", "extra_content": SIGNATURE}]),
        seal("google", [{"type": "signature_of_call"}]),
        "pg1.AAAA",
    ):
        blocks = [{"type": "redacted_thinking", "data": mark}, *as_message(stream=False)[1:]]
        said = [*HI, {"role": "assistant", "content": blocks}]
        request = read_messages(orjson.dumps({"model": "auto", "max_tokens": 9, "messages": said}))
        told = orjson.loads(request.for_backend("m", recipient=FLAT))["messages"][1]["tool_calls"]
        assert told[0]["extra_content"] == STAND_IN
