"""Streamed chat answers as Anthropic's events."""

from typing import Any

import orjson
import pytest

from gateway.errors import ErrorReply
from gateway.wire.messages.stream import MessagesStream
from gateway.wire.reasoning_signatures import seal
from tests.gateway.wire.chats import a_reader, asked_by_messages, events_in, more_arguments, streamed, tool_call


def told(stream: bytes, **request: Any) -> list[dict[str, Any]]:
    return [
        e
        for e in events_in(MessagesStream(asked_by_messages(**request), a_reader()).take(stream))
        if e["type"] != "ping"
    ]


def test_a_text_has_a_beginning_deltas_and_an_end() -> None:
    events = told(streamed({"role": "assistant", "content": ""}, {"content": "Hel"}, {"content": "lo"}))
    start, *blocks, last, stop = events
    assert start["message"] == {
        "id": "own-1",
        "type": "message",
        "role": "assistant",
        "model": "maker/model",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        },
    }
    assert blocks == [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
        {"type": "content_block_stop", "index": 0},
    ]
    assert last == {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None, "stop_details": None},
        "usage": {  # 10 in, of which 4 from the cache
            "input_tokens": 6,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 4,
            "output_tokens": 3,
            "output_tokens_details": {"thinking_tokens": 1},
        },
        "routing": {"attempts": 1},
    }
    assert stop == {"type": "message_stop"}


def test_events_do_not_depend_on_how_the_bytes_were_cut() -> None:
    stream = streamed({"content": "a"}, {"content": "b"}, {"tool_calls": [tool_call("f", "{}", index=0)]})
    events = stream.split(b"\n\n")
    one, many = MessagesStream(asked_by_messages(), a_reader()), MessagesStream(asked_by_messages(), a_reader())
    assert one.take(stream) == b"".join(many.take(event + b"\n\n") for event in events if event)


def test_a_tool_call_streams_its_input_after_the_text() -> None:
    call = {"tool_calls": [tool_call("weather", "", index=0)]}
    events = told(
        streamed(
            {"content": "Looking."},
            call,
            more_arguments(0, '{"city":'),
            more_arguments(0, '"Oslo"}'),
            finish="tool_calls",
        )
    )
    assert [e["type"] for e in events[3:5]] == ["content_block_stop", "content_block_start"]
    assert events[4]["content_block"] == {"type": "tool_use", "id": "call_1", "name": "weather", "input": {}}
    assert [e["delta"]["partial_json"] for e in events[5:7]] == ['{"city":', '"Oslo"}']
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


def test_calls_that_are_written_at_once_are_told_one_after_the_other() -> None:
    both = {"tool_calls": [tool_call("f", "", index=0, call_id="a"), tool_call("g", "", index=1, call_id="b")]}
    events = told(
        streamed(
            both,
            more_arguments(1, '{"y":'),
            more_arguments(0, '{"x":1}'),
            {"content": "Wait."},
            more_arguments(1, "2}"),
            finish="tool_calls",
        )
    )
    open_at, inputs, kinds = None, {}, []
    for event in events:
        if event["type"] == "content_block_start":
            assert open_at is None
            open_at = event["index"]
            kinds.append(event["content_block"].get("name", event["content_block"]["type"]))
        elif event["type"] == "content_block_delta":
            assert event["index"] == open_at
            inputs[open_at] = inputs.get(open_at, "") + next(v for k, v in event["delta"].items() if k != "type")
        elif event["type"] == "content_block_stop":
            open_at = None
    assert kinds == ["f", "g", "text"]
    assert inputs == {0: '{"x":1}', 1: '{"y":2}', 2: "Wait."}


def test_calls_are_told_apart_where_the_server_does_not_count_them() -> None:
    """Gemini's OpenAI door sends every call whole, and all with index 0."""
    calls = [tool_call("f", '{"x":1}', index=0, call_id="a"), tool_call("f", '{"x":2}', index=0, call_id="b")]
    events = told(streamed(*({"tool_calls": [call]} for call in calls), finish="tool_calls"))
    blocks = [e["content_block"] for e in events if e["type"] == "content_block_start"]
    assert [block["id"] for block in blocks] == ["a", "b"]
    inputs = [e["delta"]["partial_json"] for e in events if e["type"] == "content_block_delta"]
    assert inputs == ['{"x":1}', '{"x":2}']


def test_a_call_whose_name_is_said_again_is_still_one() -> None:
    halves = [tool_call("f", '{"x":', index=0), tool_call("f", "1}", index=0)]
    events = told(streamed(*({"tool_calls": [half]} for half in halves), finish="tool_calls"))
    assert len([e for e in events if e["type"] == "content_block_start"]) == 1


def test_reasoning_is_a_thinking_block_that_bears_its_makers_seal() -> None:
    events = told(streamed({"reasoning_content": "hm"}, {"content": "yes"}))
    assert [e.get("delta") for e in events[2:4]] == [
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": seal("maker")},
    ]
    assert events[5]["content_block"] == {"type": "text", "text": ""}


def test_a_signature_of_the_provider_is_passed_on() -> None:
    signed = {"thinking_blocks": [{"type": "thinking", "thinking": "", "signature": "EqQB"}]}
    thinking = {"reasoning_content": "hm", "thinking_blocks": [{"type": "thinking", "thinking": "hm"}]}
    events = told(streamed(thinking, signed, {"content": "yes"}))
    assert [e["delta"]["signature"] for e in events if e.get("delta", {}).get("type") == "signature_delta"] == ["EqQB"]
    assert [e["index"] for e in events if e["type"] == "content_block_start"] == [0, 1]


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("stop", "end_turn"), ("length", "max_tokens"), ("tool_calls", "tool_use"), ("content_filter", "refusal")],
)
def test_the_reason_to_stop_is_told(finish: str, reason: str) -> None:
    assert told(streamed({"content": "x"}, finish=finish))[-2]["delta"]["stop_reason"] == reason


def test_whoever_called_a_tool_waits_for_it_whatever_the_server_says() -> None:
    call = {"tool_calls": [tool_call("f", "{}", index=0)]}
    assert told(streamed(call, finish="stop"))[-2]["delta"]["stop_reason"] == "tool_use"
    assert told(streamed(call, finish="length"))[-2]["delta"]["stop_reason"] == "max_tokens"


def test_a_stop_sequence_is_named_where_the_server_names_it() -> None:
    last = told(streamed({"content": "x"}, stop_reason="END"), stop_sequences=["END"])[-2]
    assert last["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "END", "stop_details": None}


def test_a_comment_is_a_ping() -> None:
    assert events_in(MessagesStream(asked_by_messages(), a_reader()).take(b": waiting\n\n")) == [{"type": "ping"}]


def test_a_failure_is_an_error_event_and_no_end() -> None:
    stream = MessagesStream(asked_by_messages(), a_reader())
    out = stream.take(streamed({"content": "x"}, finish=None))
    reply = ErrorReply(status=502, kind="api_error", code="upstream_failed", message="no")
    last = events_in(out + stream.error(reply, request_id="req_1"))[-1]
    assert last == {"type": "error", "error": {"type": "api_error", "message": "no"}, "request_id": "req_1"}
    assert b"message_stop" not in out


def test_arguments_that_arrive_parsed_are_told_as_text() -> None:
    call = {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": 1}}}]}
    assert orjson.loads(told(streamed(call))[2]["delta"]["partial_json"]) == {"x": 1}


@pytest.mark.parametrize(
    "arguments",
    [('"weather"',), ("[", "1]"), (" ", "null"), ('{"city":',), ('{"city":1} and more',)],
    ids=["a string", "a list", "null after a blank", "cut short", "more than an object"],
)
def test_a_call_with_arguments_that_are_no_object_is_the_backends_fault_and_never_a_clean_end(
    arguments: tuple[str, ...],
) -> None:
    reader = a_reader()
    call = {"tool_calls": [tool_call("f", "", index=0)]}
    more = [more_arguments(0, part) for part in arguments]
    out = MessagesStream(asked_by_messages(), reader).take(streamed(call, *more, finish="tool_calls"))
    assert reader.fault == "called the tool f with malformed arguments"
    assert b"message_stop" not in out
    assert b"weather" not in out


def test_a_call_that_was_cut_short_for_want_of_room_ends_with_that_reason() -> None:
    call = {"tool_calls": [tool_call("f", "", index=0)]}
    events = told(streamed(call, more_arguments(0, '{"city":'), finish="length"))
    assert events[-2]["delta"]["stop_reason"] == "max_tokens"
