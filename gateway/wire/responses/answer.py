"""A chat answer, told as OpenAI's Response."""

from collections.abc import Mapping
from typing import Any

from catalog import Usage
from gateway.wire.answer import ChatAnswer
from gateway.wire.dialect import Answering
from gateway.wire.pieces import Piece, pieces_of
from gateway.wire.reasoning_signatures import seal

from .custom import custom_input, is_custom_call
from .tools import called_item, is_search_call, search_arguments

__all__ = ["content_part", "frame_of", "item_of", "outcome_of", "response_of", "usage_of"]

_CUT_SHORT = {"length": "max_output_tokens", "content_filter": "content_filter"}
_ECHOED: dict[str, Any] = {  # what a Response repeats of its request, and what stands there when nothing was said
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "service_tier": None,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": None,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
_NEVER = {  # what no Response of ours has: no conversations are stored, nothing runs in the background
    "background": False,
    "conversation": None,
    "max_tool_calls": None,
    "prompt": None,
}


def response_of(
    answer: ChatAnswer, answering: Answering, routing: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """The whole Response."""
    choice = answer.choices[0]
    pieces = pieces_of(choice.get("message"), author=answering.maker, logprobs=choice.get("logprobs"))
    frame = frame_of(answering, response_id=answer.response_id or answering.answer_id)
    status, details = outcome_of(choice.get("finish_reason"))
    items = [item_of(piece, frame["id"], answering, status="completed") for piece in pieces]
    if items and status == "incomplete" and "status" in items[-1]:
        items[-1]["status"] = "incomplete"
    frame["service_tier"] = answer.service_tier or frame["service_tier"]
    frame |= {"status": status, "incomplete_details": details, "output": items, "usage": usage_of(answer.usage)}
    return frame if routing is None else {**frame, "routing": routing}


def frame_of(answering: Answering, *, response_id: str) -> dict[str, Any]:
    """A Response without an answer yet; `response_id` is its name where it is not stored."""
    client_body = answering.request.as_sent
    reasoning = client_body.get("reasoning") or {}
    echoed = {key: default if client_body.get(key) is None else client_body[key] for key, default in _ECHOED.items()}
    return {
        "id": answering.stored_as or response_id,
        "object": "response",
        "created_at": answering.created_s,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": answering.model_id,
        "output": [],
        "usage": None,
        **echoed,
        **_NEVER,
        "store": answering.stored_as is not None,
        "reasoning": {"effort": reasoning.get("effort"), "summary": None},
    }


def item_of(piece: Piece, response_id: str, answering: Answering, *, status: str) -> dict[str, Any]:
    """One item of the output, as far as it has come."""
    place = f"{response_id}_{piece.index}"
    begun = status == "in_progress"
    match piece.kind:
        case "tool":
            return _call(piece, place, answering.request.as_sent, status=status)
        case "reasoning":
            return {
                "id": f"rs_{place}",
                "type": "reasoning",
                "summary": [],
                "content": [] if begun or piece.redacted is not None else [content_part(piece)],
                "encrypted_content": None if begun else _sealed(piece, answering),
            }
        case _:
            return {
                "id": f"msg_{place}",
                "type": "message",
                "status": status,
                "role": "assistant",
                "content": [] if begun else [content_part(piece)],
            }


def _call(piece: Piece, place: str, client_body: Mapping[str, Any], *, status: str) -> dict[str, Any]:
    begun = status == "in_progress"
    call = {"status": status, "call_id": piece.call_id}
    if is_search_call(piece.name, client_body):
        arguments = {} if begun else search_arguments(piece.text)
        return {
            "id": f"tsc_{place}",
            "type": "tool_search_call",
            "execution": "client",
            **call,
            "arguments": arguments,
        }
    if is_custom_call(piece.name, client_body):
        input_text = "" if begun else custom_input(piece.text)
        return {"id": f"ctc_{place}", "type": "custom_tool_call", **call, "name": piece.name, "input": input_text}
    arguments = "" if begun else piece.text or "{}"
    return {
        "id": f"fc_{place}",
        "type": "function_call",
        **call,
        **called_item(piece.name, client_body),
        "arguments": arguments,
    }


def content_part(piece: Piece, *, empty: bool = False) -> dict[str, Any]:
    """What stands in an item's content."""
    text = "" if empty else piece.text
    match piece.kind:
        case "reasoning":
            return {"type": "reasoning_text", "text": text}
        case "refusal":
            return {"type": "refusal", "refusal": text}
        case _:
            logprobs = [] if empty else piece.logprobs
            return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}


def outcome_of(finish_reason: object) -> tuple[str, dict[str, str] | None]:
    """The status, and why the answer is not whole."""
    reason = _CUT_SHORT.get(str(finish_reason))
    return ("completed", None) if reason is None else ("incomplete", {"reason": reason})


def usage_of(usage: Usage | None) -> dict[str, Any] | None:
    """Token counts; None where the server reported none."""
    if usage is None:
        return None
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def _sealed(piece: Piece, answering: Answering) -> str | None:
    """The reasoning for its author's later use, where the caller wants to carry it or the Response is stored."""
    include = answering.request.as_sent.get("include") or ()
    if answering.stored_as is None and "reasoning.encrypted_content" not in include:
        return None
    if piece.redacted is not None:
        return seal(answering.maker, [{"type": "redacted_thinking", "data": piece.redacted}])
    return seal(answering.maker, [{"type": "thinking", "thinking": piece.text, "signature": piece.signature}])
