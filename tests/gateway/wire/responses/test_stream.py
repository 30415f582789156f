"""Streamed chat answers as Responses' events."""

from typing import Any

from gateway.errors import ErrorReply
from gateway.wire.reasoning_signatures import seal
from gateway.wire.responses.stream import ResponsesStream
from tests.gateway.wire.chats import asked_by_responses, events_in, more_arguments, streamed, tool_call


def told(stream: bytes, **request: Any) -> list[dict[str, Any]]:
    return events_in(ResponsesStream(asked_by_responses(**request)).take(stream))


def short(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in events]


def test_a_text_is_told_in_the_documented_order() -> None:
    events = told(streamed({"role": "assistant", "content": ""}, {"content": "Hel"}, {"content": "lo"}))
    assert short(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event["sequence_number"] for event in events] == list(range(10))
    part = {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}
    message = {
        "id": "msg_own-1_0",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }
    assert events[7]["part"] == part
    response = events[-1]["response"]
    assert (response["status"], response["output"]) == ("completed", [message])
    assert response["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 13,
    }
    assert response["routing"] == {"attempts": 1}


def test_a_tool_call_streams_its_arguments() -> None:
    call = {"tool_calls": [tool_call("f", "", index=0)]}
    events = told(streamed(call, more_arguments(0, '{"x":'), more_arguments(0, "1}"), finish="tool_calls"))
    assert short(events)[2:-1] == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    assert events[2]["item"]["arguments"] == ""
    assert events[-2]["item"] == {
        "id": "fc_own-1_0",
        "type": "function_call",
        "status": "completed",
        "call_id": "call_1",
        "name": "f",
        "arguments": '{"x":1}',
    }


def test_reasoning_is_an_item_of_its_own_and_sealed_where_asked_for() -> None:
    stream = streamed({"reasoning_content": "hm"}, {"content": "yes"})
    include = ["reasoning.encrypted_content"]
    events = told(stream, include=include)
    reasoning, message = events[-1]["response"]["output"]
    assert reasoning["content"] == [{"type": "reasoning_text", "text": "hm"}]
    block = {"type": "thinking", "thinking": "hm", "signature": seal("maker")}
    assert reasoning["encrypted_content"] == seal("maker", [block])
    assert message["content"][0]["text"] == "yes"
    assert told(stream)[-1]["response"]["output"][0]["encrypted_content"] is None
    assert "reasoning_text.delta" in short(events)


def test_a_refusal_is_told_as_one() -> None:
    events = told(streamed({"refusal": "no"}))
    assert short(events)[4:6] == ["refusal.delta", "refusal.done"]
    assert events[-1]["response"]["output"][0]["content"] == [{"type": "refusal", "refusal": "no"}]


def test_an_answer_that_was_cut_short_says_so() -> None:
    call = tool_call("f", '{"a', index=0)
    *_, done, last = told(streamed({"content": "x"}, {"tool_calls": [call]}, finish="length"))
    assert (done["type"], done["item"]["status"]) == ("response.output_item.done", "incomplete")
    assert [item["status"] for item in last["response"]["output"]] == ["completed", "incomplete"]
    last = told(streamed({"content": "x"}, finish="length"))[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert last["response"]["output"][0]["status"] == "incomplete"


def test_a_failure_fails_the_response_and_ends_in_an_error() -> None:
    stream = ResponsesStream(asked_by_responses())
    out = stream.take(streamed({"content": "x"}, finish=None))
    reply = ErrorReply(status=502, kind="api_error", code="upstream_failed", message="no")
    failed, error = events_in(out + stream.error(reply, request_id="req_1"))[-2:]
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    assert failed["response"]["error"] == {"code": "server_error", "message": "no"}
    assert (error["type"], error["code"], error["message"]) == ("error", "upstream_failed", "no")
    assert error["sequence_number"] == failed["sequence_number"] + 1
    assert b"response.completed" not in out
