"""Anthropic's Message as a chat completion."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from gateway.errors import UpstreamProtocolError
from gateway.wire.answer import answered_object
from gateway.wire.answer_ids import chat_id

from .usage import chat_usage

__all__ = ["FINISH_REASONS", "JSON_TOOL", "completion_of", "finish_of", "read_blocks", "read_object_of"]

FINISH_REASONS: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""Why a message ended -> chat's word for it."""

JSON_TOOL = "answer_as_json"
"""The tool of ours by whose input a model without structured outputs answers in JSON."""


def read_object_of(raw: bytes, *, backend_id: str) -> dict[str, Any]:
    """A message as Anthropic sent it, with a list of blocks in it.

    Raises:
        UpstreamProtocolError: it is empty, not JSON, an error with a status of success, or no message.
    """
    body = answered_object(raw, backend_id=backend_id)
    read_blocks(body.get("content"), backend_id=backend_id)
    return body


def read_blocks(content: object, *, backend_id: str) -> list[dict[str, Any]]:
    """The blocks of a message; the input of every call is an object.

    Raises:
        UpstreamProtocolError: they are none.
    """
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise UpstreamProtocolError("answered without content", backend_id=backend_id)
    for block in content:
        if block.get("type") == "tool_use" and not isinstance(block.get("input"), dict):
            raise UpstreamProtocolError("called a tool with malformed arguments", backend_id=backend_id)
    return content


def completion_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """The chat completion that a message makes."""
    answer = chat_message(message["content"])
    choice: dict[str, Any] = {
        "index": 0,
        "message": answer,
        "finish_reason": finish_of(message.get("stop_reason"), answer),
    }
    if message.get("stop_sequence") is not None:
        choice["stop_reason"] = message["stop_sequence"]  # where vLLM tells it
    return {
        "id": chat_id(message.get("id")),
        "object": "chat.completion",
        "created": int(time.time()),  # Anthropic does not say
        "model": message.get("model"),
        "choices": [choice],
        "usage": chat_usage(message.get("usage")),
    }


def finish_of(reason: object, message: Mapping[str, Any]) -> str:
    """Why a choice ended, in chat's words; an answer by our own tool is no call."""
    finish = FINISH_REASONS.get(str(reason), "stop")
    return "stop" if finish == "tool_calls" and not message.get("tool_calls") else finish


def chat_message(blocks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The chat message that blocks make; what happened at Anthropic's own servers is not told."""
    texts: list[str] = []
    thoughts: list[Mapping[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for block in blocks:
        match block.get("type"):
            case "text":
                texts.append(str(block.get("text") or ""))
            case "thinking" | "redacted_thinking":
                thoughts.append(block)
            case "tool_use" if block.get("name") == JSON_TOOL:
                texts.append(orjson.dumps(block.get("input")).decode())
            case "tool_use":
                arguments = orjson.dumps(block.get("input")).decode()
                function = {"name": str(block.get("name") or ""), "arguments": arguments}
                calls.append({"id": str(block.get("id") or ""), "type": "function", "function": function})
    answer: dict[str, Any] = {"role": "assistant", "content": "".join(texts) if texts or not calls else None}
    if thoughts:
        answer["reasoning_content"] = "".join(str(thought.get("thinking") or "") for thought in thoughts)
        answer["thinking_blocks"] = thoughts
    if calls:
        answer["tool_calls"] = calls
    return answer
