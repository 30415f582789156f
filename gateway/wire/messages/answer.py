"""A chat answer, told as Anthropic's Message.

Where a server reports no token counts, zeros stand in their place: the protocol has no word for unknown.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from catalog import Usage
from gateway.errors import UpstreamProtocolError
from gateway.wire.answer import ChatAnswer
from gateway.wire.dialect import Answering
from gateway.wire.pieces import Piece, pieces_of

__all__ = ["check_arguments", "content_block", "is_input", "message_of", "stop_details", "stop_of", "usage_of"]

_STOPS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}


def message_of(answer: ChatAnswer, answering: Answering, routing: Mapping[str, object] | None = None) -> dict[str, Any]:
    """The whole Message."""
    choice = answer.choices[0]
    pieces = pieces_of(choice.get("message"), author=answering.maker)
    reason, sequence = stop_of(choice, answering.request.body.get("stop"), pieces)
    message = {
        "id": answer.response_id or answering.answer_id,
        "type": "message",
        "role": "assistant",
        "model": answering.model_id,
        "content": [content_block(piece) for piece in pieces],
        "stop_reason": reason,
        "stop_sequence": sequence,
        "stop_details": stop_details(reason),
        "usage": usage_of(answer.usage),
    }
    return message if routing is None else {**message, "routing": routing}


def check_arguments(answer: ChatAnswer, *, backend_id: str) -> None:
    """A tool's input is an object here, so a call whose arguments are no JSON object is no answer.

    Raises:
        UpstreamProtocolError: it is so, and not for want of room, which the answer itself says.
    """
    choice = answer.choices[0]
    if choice.get("finish_reason") == "length":
        return
    for piece in pieces_of(choice.get("message"), author=""):
        if piece.kind == "tool" and not is_input(piece):
            raise UpstreamProtocolError(f"called the tool {piece.name} with malformed arguments", backend_id=backend_id)


def is_input(piece: Piece) -> bool:
    """Whether a call's arguments are what a tool takes here."""
    return _input(piece) is not None


def content_block(piece: Piece) -> dict[str, Any]:
    """One block. The arguments of a call that was cut short are left out: the stop reason says so."""
    if piece.kind == "tool":
        return {"type": "tool_use", "id": piece.call_id, "name": piece.name, "input": _input(piece) or {}}
    if piece.kind != "reasoning":
        return {"type": "text", "text": piece.text}
    if piece.redacted is not None:
        return {"type": "redacted_thinking", "data": piece.redacted}
    return {"type": "thinking", "thinking": piece.text, "signature": piece.signature}


def stop_of(choice: Mapping[str, Any], stops: object, pieces: Iterable[Piece]) -> tuple[str, str | None]:
    """Why the model stopped, and at which of the caller's sequences where the server tells (vLLM does).

    Whoever called a tool waits for what it gives, whatever word came with it: OpenAI says "stop" where the caller named
    the tool that had to be called, and some servers always do.
    """
    stopped_at = choice.get("stop_reason")
    if isinstance(stopped_at, str) and isinstance(stops, list) and stopped_at in stops:
        return "stop_sequence", stopped_at
    kinds = {piece.kind for piece in pieces}
    reason = "refusal" if "refusal" in kinds else _STOPS.get(str(choice.get("finish_reason")), "end_turn")
    return ("tool_use" if reason == "end_turn" and "tool" in kinds else reason), None


def stop_details(reason: str) -> dict[str, Any] | None:
    """What else is known of why it stopped: of refusals in chat, neither category nor explanation."""
    return {"type": "refusal", "category": None, "explanation": None} if reason == "refusal" else None


def usage_of(usage: Usage | None) -> dict[str, Any]:
    """Anthropic counts what was read from or written to the prompt cache apart from the rest of the input."""
    if usage is None:
        return {"input_tokens": 0, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 0}
    counts: dict[str, Any] = {
        "input_tokens": usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_input_tokens,
        "output_tokens": usage.output_tokens,
    }
    if usage.reasoning_tokens:
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    if usage.web_searches:
        counts["server_tool_use"] = {"web_search_requests": usage.web_searches}
    return counts


def _input(piece: Piece) -> dict[str, Any] | None:
    if not piece.text.strip():
        return {}  # a tool without parameters
    try:
        arguments = orjson.loads(piece.text)
    except orjson.JSONDecodeError:
        return None
    return arguments if isinstance(arguments, dict) else None
