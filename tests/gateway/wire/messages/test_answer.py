"""Whole chat answers as Anthropic's Messages."""

from typing import Any

import pytest

from gateway.errors import UpstreamProtocolError
from gateway.wire.messages.answer import check_arguments, message_of
from gateway.wire.reasoning_signatures import seal
from tests.gateway.wire.chats import asked_by_messages, tool_call, whole


def test_a_text_is_one_block() -> None:
    assert message_of(whole({"role": "assistant", "content": "Hello"}), asked_by_messages()) == {
        "id": "chatcmpl-1",
        "type": "message",
        "role": "assistant",
        "model": "maker/model",
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "usage": {  # 10 in, of which 4 from the cache
            "input_tokens": 6,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 4,
            "output_tokens": 3,
            "output_tokens_details": {"thinking_tokens": 1},
        },
    }


def test_thought_text_and_calls_are_blocks_in_this_order() -> None:
    message = {
        "content": "Looking.",
        "reasoning_content": "hm",
        "tool_calls": [tool_call("f", '{"x":1}'), tool_call("g", "", call_id="call_2")],
    }
    told = message_of(whole(message, "tool_calls"), asked_by_messages())
    assert told["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": seal("maker")},
        {"type": "text", "text": "Looking."},
        {"type": "tool_use", "id": "call_1", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "call_2", "name": "g", "input": {}},
    ]
    assert told["stop_reason"] == "tool_use"


def test_whoever_called_a_tool_waits_for_it_whatever_the_server_says() -> None:
    """OpenAI says "stop" where the tool that had to be called was named by the caller."""
    called = {"content": None, "tool_calls": [tool_call("f", "{}")]}
    assert message_of(whole(called, "stop"), asked_by_messages())["stop_reason"] == "tool_use"
    assert message_of(whole(called, "length"), asked_by_messages())["stop_reason"] == "max_tokens"


def test_anthropics_own_blocks_come_back_as_they_were() -> None:
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
        {"type": "redacted_thinking", "data": "Emw="},
    ]
    message = {"content": "yes", "reasoning_content": "hm", "thinking_blocks": blocks}
    assert message_of(whole(message), asked_by_messages())["content"][:2] == blocks


def test_a_refusal_is_a_text_and_a_reason() -> None:
    told = message_of(whole({"refusal": "I will not."}), asked_by_messages())
    assert (told["content"][0]["text"], told["stop_reason"]) == ("I will not.", "refusal")


def test_the_explanation_comes_along() -> None:
    assert message_of(whole({"content": "x"}), asked_by_messages(), {"chosen": "m"})["routing"] == {"chosen": "m"}


@pytest.mark.parametrize(("arguments", "fits"), [("{}", True), ("", True), ("{", False), ("[1]", False)])
def test_a_call_without_an_object_of_arguments_is_no_answer(arguments: str, fits: bool) -> None:
    message: dict[str, Any] = {"tool_calls": [tool_call("f", arguments)]}
    check_arguments(whole(message, "length"), backend_id="b")  # cut short, and said to be
    if fits:
        check_arguments(whole(message, "tool_calls"), backend_id="b")
    else:
        with pytest.raises(UpstreamProtocolError, match="the tool f with malformed arguments"):
            check_arguments(whole(message, "tool_calls"), backend_id="b")
