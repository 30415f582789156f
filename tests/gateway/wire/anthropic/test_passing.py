"""Anthropic's answers on their way to a client that speaks its Messages."""

from typing import Any

import orjson
import pytest

from catalog import Usage
from gateway.errors import UpstreamProtocolError
from gateway.wire.anthropic.passing import PassingStream, read_message
from tests.gateway.wire.anthropic.test_chunks import EVENTS

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "text", "text": "Hi", "something_new": 1}],
    "stop_reason": "max_tokens",
    "usage": {"input_tokens": 3, "output_tokens": 2, "cache_read_input_tokens": 4},
}


def passing() -> PassingStream:
    return PassingStream(
        model_id="anthropic/claude", wants_usage=True, late_facts=lambda usage, _: {"seen": str(usage)}
    )


def named(event: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))


def test_a_whole_answer_changes_in_nothing_but_the_models_name() -> None:
    raw = orjson.dumps(MESSAGE)
    answer = read_message(raw, backend_id="b")
    assert answer.for_client("anthropic/claude") == raw.replace(b'"claude-x"', b'"anthropic/claude"')
    assert (answer.finish_reason, answer.response_id) == ("length", "msg_1")
    assert answer.usage == Usage(input_tokens=7, output_tokens=2, cached_input_tokens=4)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "an empty body"),
        (b"{", "malformed JSON"),
        (b"[]", "no object"),
        (b'{"type": "error", "error": {"type": "overloaded_error"}}', "status of success"),
        (b'{"choices": []}', "without content"),
        (b'{"content": [{"type": "tool_use", "name": "f", "input": "x"}]}', "malformed arguments"),
    ],
)
def test_what_is_no_message_is_a_fault(raw: bytes, problem: str) -> None:
    with pytest.raises(UpstreamProtocolError, match=problem):
        read_message(raw, backend_id="b")


def test_events_pass_as_they_came_but_for_the_first_and_the_one_with_the_counts() -> None:
    reader = passing()
    told = reader.take(b"".join(map(named, EVENTS)))
    sent = told.split(b"\n\n")
    assert orjson.loads(sent[0].split(b"data: ")[1])["message"]["model"] == "anthropic/claude"
    assert b"\n\n".join(sent[1:5]) + b"\n\n" == b"".join(map(named, EVENTS[1:5]))
    assert orjson.loads(sent[5].split(b"data: ")[1])["routing"]["seen"].startswith("Usage(input_tokens=7")
    assert (reader.done, reader.finish_reason, reader.usage) == (True, "stop", Usage(input_tokens=7, output_tokens=3))


def test_an_event_without_its_name_gets_it() -> None:
    reader = passing()
    told = reader.take(b"".join(b"data: %b\n\n" % orjson.dumps(event) for event in EVENTS))
    assert told.count(b"event: ") == len(EVENTS)
    assert told.endswith(named(EVENTS[-1]))


def test_nothing_has_begun_until_there_is_content() -> None:
    reader = passing()
    started = []
    for event in (
        EVENTS[0],
        {"type": "ping"},
        {"type": "content_block_start", "content_block": {"type": "text", "text": ""}},
    ):
        reader.take(named(event))
        started.append(reader.started)
    reader.take(named({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x"}}))
    assert (started, reader.started) == ([False] * 3, True)


def test_a_missing_end_mark_is_supplied_where_the_answer_is_whole_and_else_is_a_fault() -> None:
    whole, cut = passing(), passing()
    whole.take(b"".join(map(named, EVENTS[:-1])))
    cut.take(b"".join(map(named, EVENTS[:-2])))
    assert (whole.finish(), whole.fault) == (named(EVENTS[-1]), None)
    assert (cut.finish(), cut.fault) == (b"", "ended the stream before the answer was finished")


def test_an_error_event_is_a_fault_and_is_not_passed_on() -> None:
    reader = passing()
    assert reader.take(named({"type": "error", "error": {"type": "overloaded_error", "message": "secret"}})) == b""
    assert reader.fault == "reported an error in the stream (overloaded_error)"


@pytest.mark.parametrize("kind", ["ping\n\nevent: message_stop\ndata: {}", "ping\r", "ping\u2028"])
def test_an_events_kind_is_one_line(kind: str) -> None:
    """It is written as a line of its own, and would begin another event."""
    reader = passing()
    assert reader.take(b"data: " + orjson.dumps({"type": kind}) + b"\n\n") == b""
    assert reader.fault == "sent a malformed event"
