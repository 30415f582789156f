"""Whole chat answers as Responses."""

from gateway.wire.responses.answer import response_of
from tests.gateway.wire.chats import asked_by_responses, tool_call, whole


def test_a_response_repeats_its_request_and_says_that_it_is_not_stored() -> None:
    asked = asked_by_responses(instructions="Be brief.", metadata={"a": "b"}, store=True, reasoning={"effort": "low"})
    told = response_of(whole({"content": "Hello"}), asked)
    assert (told["id"], told["object"], told["status"]) == ("chatcmpl-1", "response", "completed")
    assert (told["model"], told["created_at"]) == ("maker/model", 7)
    assert (told["instructions"], told["metadata"]) == ("Be brief.", {"a": "b"})
    assert (told["store"], told["previous_response_id"], told["error"]) == (False, None, None)
    assert told["reasoning"] == {"effort": "low", "summary": None}
    assert told["usage"]["total_tokens"] == 13


def test_text_and_calls_are_items() -> None:
    message = {"content": "Looking.", "tool_calls": [tool_call("f", '{"x":1}')]}
    text, call = response_of(whole(message, "tool_calls"), asked_by_responses())["output"]
    assert text["content"] == [{"type": "output_text", "text": "Looking.", "annotations": [], "logprobs": []}]
    assert (call["type"], call["call_id"], call["arguments"]) == ("function_call", "call_1", '{"x":1}')


def test_logprobs_come_along() -> None:
    token = {"token": "Hi", "bytes": [72, 105], "logprob": -0.5, "top_logprobs": []}
    told = response_of(whole({"content": "Hi"}, logprobs={"content": [token]}), asked_by_responses())
    assert told["output"][0]["content"][0]["logprobs"] == [token]


def test_an_answer_that_was_cut_short_is_incomplete() -> None:
    told = response_of(whole({"content": "x"}, "length"), asked_by_responses())
    assert (told["status"], told["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert told["output"][0]["status"] == "incomplete"
