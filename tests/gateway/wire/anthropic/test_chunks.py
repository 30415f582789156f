"""Anthropic's events as chunks, however the bytes are cut."""

from typing import Any

import orjson
import pytest

from gateway.wire.anthropic.answer import JSON_TOOL, completion_of
from gateway.wire.anthropic.chunks import ChunkWriter

EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "m", "model": "claude", "usage": {"input_tokens": 7}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "name": JSON_TOOL, "id": "t"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"a":'}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "1}"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"},
        "usage": {"output_tokens": 3},
    },
    {"type": "message_stop"},
]


def streamed(events: list[dict[str, Any]]) -> bytes:
    return b"".join(b"event: %b\r\ndata: %b\r\n\r\n" % (e["type"].encode(), orjson.dumps(e)) for e in events)


def chunks_of(told: bytes) -> list[dict[str, Any]]:
    return [orjson.loads(event[6:]) for event in told.split(b"\n\n") if event.startswith(b"data: {")]


@pytest.mark.parametrize("size", [1, 3, 7, 10_000])
def test_it_does_not_matter_where_the_bytes_are_cut(size: int) -> None:
    raw, writer = streamed(EVENTS), ChunkWriter(backend_id="b")
    told = b"".join(writer.take(raw[at : at + size]) for at in range(0, len(raw), size)) + writer.finish()
    assert told.endswith(b"data: [DONE]\n\n")
    assert writer.fault is None
    chunks = chunks_of(told)
    words = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"])
    assert words == '{"a":1}'  # the input of our own tool is the answer
    assert chunks[-2]["choices"][0] == {"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": "END"}
    assert chunks[-1]["usage"]["total_tokens"] == 10


def test_a_missing_end_mark_is_supplied_where_the_answer_is_whole() -> None:
    whole, cut = ChunkWriter(backend_id="b"), ChunkWriter(backend_id="b")
    assert (whole.take(streamed(EVENTS[:-1])) + whole.finish()).endswith(b"data: [DONE]\n\n")
    assert b"[DONE]" not in cut.take(streamed(EVENTS[:-2])) + cut.finish()


def test_what_came_before_a_failure_is_told_before_it() -> None:
    writer = ChunkWriter(backend_id="b")
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "secret"}}
    told = writer.take(streamed([*EVENTS[:3], error]))
    assert len(chunks_of(told)) == 2
    assert str(writer.fault) == "backend b reported an error in the stream (overloaded_error)"


@pytest.mark.parametrize(
    ("given", "pieces", "arguments"),
    [({}, [""], "{}"), ({}, [], "{}"), ({"x": 1}, [], '{"x":1}'), ({}, ["", '{"x":', "2}"], '{"x":2}')],
)
def test_arguments_of_a_call_are_an_object_also_where_there_is_nothing_to_say(
    given: dict[str, Any], pieces: list[str], arguments: str
) -> None:
    block = {"type": "tool_use", "name": "now", "id": "t", "input": given}
    events: list[dict[str, Any]] = [{"type": "content_block_start", "index": 0, "content_block": block}]
    for piece in pieces:
        delta = {"type": "input_json_delta", "partial_json": piece}
        events.append({"type": "content_block_delta", "index": 0, "delta": delta})
    told = ChunkWriter(backend_id="b").take(streamed([EVENTS[0], *events, *EVENTS[4:]]))
    calls = [c["choices"][0]["delta"].get("tool_calls", [{}])[0] for c in chunks_of(told) if c["choices"]]
    assert "".join(call["function"]["arguments"] for call in calls if call) == arguments


def test_our_own_tool_is_no_call_in_a_whole_answer_either() -> None:
    block = {"type": "tool_use", "id": "t", "name": JSON_TOOL, "input": {"a": 1}}
    (choice,) = completion_of({"content": [block], "stop_reason": "tool_use"})["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ('{"a":1}', "stop")
    assert "tool_calls" not in choice["message"]
