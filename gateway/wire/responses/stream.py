"""A streamed chat answer, told as the events of OpenAI's Responses.

`response.created`, `response.in_progress`, then per item `response.output_item.added`, its parts and deltas,
`response.output_item.done`, then `response.completed` or `response.incomplete`. A failure midway is `response.failed`
and then `error`, with nothing after them. Every event has a `sequence_number`.

Source: OpenAI's API reference, Streaming events.
"""

from collections.abc import Mapping
from typing import Any, cast

import orjson

from catalog import Usage
from gateway.errors import OUT_OF_ROOM, ErrorReply, openai_error
from gateway.wire.dialect import Answering
from gateway.wire.pieces import ChunkReader, Piece, PieceSequence, Step
from gateway.wire.usage import read_usage

from .answer import content_part, frame_of, item_of, outcome_of, usage_of

__all__ = ["ResponsesStream", "failure_code", "refused_stream"]

_DELTAS = {
    "text": "output_text",
    "refusal": "refusal",
    "reasoning": "reasoning_text",
    "tool": "function_call_arguments",
}

# Of OpenAI's codes for a failed Response those that clients act on.
_TELLING = frozenset({OUT_OF_ROOM, "insufficient_quota", "rate_limit_exceeded"})


def failure_code(reply: ErrorReply) -> str:
    """OpenAI's code for why a Response failed."""
    return reply.code if reply.code in _TELLING else "server_error"


def refused_stream(reply: ErrorReply, *, request_id: str) -> bytes:
    """A stream that fails before any model was asked."""
    refusal = cast("Mapping[str, object]", openai_error(reply)["error"])
    told = {"code": failure_code(reply), "message": refusal["message"]}
    failed = {"id": f"resp_{request_id}", "object": "response", "status": "failed", "error": told, "output": []}
    more = {"code": reply.code, "message": refusal["message"], "param": reply.param, "error": refusal}
    events: list[dict[str, object]] = [
        {"type": "response.failed", "sequence_number": 0, "response": failed},
        {"type": "error", "sequence_number": 1, **more, "request_id": request_id},
    ]
    return b"".join(b"event: %s\ndata: %s\n\n" % (str(e["type"]).encode(), _dump(e)) for e in events)


class ResponsesStream:
    """Chat events in, Responses' events out."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._reader, self._sequence = ChunkReader(), PieceSequence(author=answering.maker)
        self._frame: dict[str, Any] | None = None
        self._count = 0
        self._finish_reason: object = None
        self._usage: Usage | None = None
        self._routing: object = None
        self._service_tier: object = None
        self._items: list[dict[str, Any]] = []
        self._whole: dict[str, Any] | None = None

    def take(self, data: bytes) -> bytes:
        """See `StreamTranslation.take`."""
        out = b""
        for chunk in self._reader.take(data):
            if chunk == "comment":
                out += b": waiting\n\n"
            elif chunk == "done":
                out += self._begin() + self._last(self._sequence.finish()) + self._end()
            else:
                out += self._begin() + self._chunk(chunk)
        return out

    def take_whole(self) -> bytes | None:
        """The whole Response, once it is complete, and only once."""
        whole, self._whole = self._whole, None
        return None if whole is None else _dump(whole)

    def error(self, reply: ErrorReply, *, request_id: str) -> bytes:
        """See `StreamTranslation.error`."""
        refusal = openai_error(reply)["error"]
        frame = self._frame or frame_of(self._answering, response_id=self._answering.answer_id)
        error = {"code": failure_code(reply), "message": reply.message}
        failed = {**frame, "status": "failed", "error": error, "output": self._items, "usage": usage_of(self._usage)}
        more = {"code": reply.code, "message": reply.message, "param": reply.param, "error": refusal}
        return self._event("response.failed", response=failed) + self._event("error", **more, request_id=request_id)

    def _begin(self) -> bytes:
        if self._frame is not None:
            return b""
        self._frame = frame_of(self._answering, response_id=self._answering.answer_id)
        return self._event("response.created", response=self._frame) + self._event(
            "response.in_progress", response=self._frame
        )

    def _chunk(self, chunk: Mapping[str, Any]) -> bytes:
        self._usage = read_usage(chunk.get("usage")) or self._usage
        self._routing = chunk.get("routing", self._routing)
        self._service_tier = chunk.get("service_tier") or self._service_tier
        choices = chunk.get("choices")
        choice = choices[0] if choices else {}
        self._finish_reason = choice.get("finish_reason") or self._finish_reason
        return self._told(self._sequence.take(choice.get("delta"), logprobs=choice.get("logprobs")))

    def _told(self, steps: list[Step]) -> bytes:
        return b"".join(self._step(step) for step in steps)

    def _last(self, steps: list[Step]) -> bytes:
        """The last steps of all: where the answer was cut short, it was amid the last item."""
        if not steps:
            return b""
        status, _ = outcome_of(self._finish_reason)
        return self._told(steps[:-1]) + self._step(steps[-1], ended_as=status)

    def _step(self, step: Step, *, ended_as: str = "completed") -> bytes:
        piece = step.piece
        item = item_of(piece, self._id, self._answering, status=ended_as if step.act == "close" else "in_progress")
        at: dict[str, Any] = {"item_id": item["id"], "output_index": piece.index}
        if _has_part(piece):
            at["content_index"] = 0
        match step.act:
            case "open":
                out = self._event("response.output_item.added", output_index=piece.index, item=item)
                if _has_part(piece):
                    out += self._event("response.content_part.added", **at, part=content_part(piece, empty=True))
                return out
            case "add" if item["type"] in {"tool_search_call", "custom_tool_call"}:
                return b""  # what it says is wrapped in an object: it comes when that is whole
            case "add":
                more = {"logprobs": list(step.logprobs)} if piece.kind == "text" else {}
                return self._event(f"response.{_DELTAS[piece.kind]}.delta", **at, delta=step.text, **more)
            case _:
                return self._close(piece, item, at)

    def _close(self, piece: Piece, item: dict[str, Any], at: dict[str, Any]) -> bytes:
        """The events that end an item, which from here on is part of the whole Response."""
        out = b""
        match piece.kind:
            case "tool" if item["type"] == "function_call":
                out += self._event(
                    "response.function_call_arguments.done", **at, name=item["name"], arguments=item["arguments"]
                )
            case "tool" if item["type"] == "custom_tool_call":
                out += self._event("response.custom_tool_call_input.delta", **at, delta=item["input"])
                out += self._event("response.custom_tool_call_input.done", **at, input=item["input"])
            case "text":
                out += self._event("response.output_text.done", **at, text=piece.text, logprobs=piece.logprobs)
            case "refusal":
                out += self._event("response.refusal.done", **at, refusal=piece.text)
            case "reasoning" if piece.redacted is None:
                out += self._event("response.reasoning_text.done", **at, text=piece.text)
        if _has_part(piece):
            out += self._event("response.content_part.done", **at, part=content_part(piece))
        self._items.append(item)
        return out + self._event("response.output_item.done", output_index=piece.index, item=item)

    def _end(self) -> bytes:
        status, details = outcome_of(self._finish_reason)
        frame = self._frame or {}
        response = {
            **frame,
            "service_tier": self._service_tier or frame.get("service_tier"),
            "status": status,
            "incomplete_details": details,
            "output": self._items,
            "usage": usage_of(self._usage),
        }
        if self._routing is not None:
            response["routing"] = self._routing
        self._whole = response
        return self._event(f"response.{status}", response=response)

    @property
    def _id(self) -> str:
        return self._answering.stored_as or self._answering.answer_id

    def _event(self, kind: str, **facts: Any) -> bytes:  # noqa: ANN401 - whatever the event tells
        event = {"type": kind, "sequence_number": self._count, **facts}
        self._count += 1
        return b"event: %s\ndata: %s\n\n" % (kind.encode(), _dump(event))


def _dump(value: object) -> bytes:
    return orjson.dumps(value, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def _has_part(piece: Piece) -> bool:
    return piece.kind != "tool" and piece.redacted is None
