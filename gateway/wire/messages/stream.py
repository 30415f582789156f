"""A streamed chat answer, told as Anthropic's events.

`message_start`, then per block `content_block_start`, `content_block_delta`..., `content_block_stop`, then
`message_delta` with the stop reason and the token counts, then `message_stop`. A failure midway is an `error` event
with nothing after it. Token counts come last because chat servers tell them last: those of `message_start` are zero.

Source: Anthropic's API reference, Streaming Messages.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from catalog import Usage
from gateway.errors import ErrorReply, anthropic_error
from gateway.wire.dialect import Answering
from gateway.wire.pieces import ChunkReader, Piece, PieceSequence, Step
from gateway.wire.stream import ChatStream
from gateway.wire.usage import read_usage

from .answer import is_input, stop_details, stop_of, usage_of

__all__ = ["MessagesStream"]


class MessagesStream:
    """Chat events in, Anthropic's events out.

    A tool's input is an object here. A backend that calls one with anything else is at fault, which the stream's reader
    is told; the client gets no more of it, since its own reader would break.
    """

    def __init__(self, answering: Answering, reader: ChatStream) -> None:
        self._answering, self._backends = answering, reader
        self._reader, self._sequence = ChunkReader(), PieceSequence(author=answering.maker)
        self._begun = False
        self._begun_calls: set[int] = set()  # calls of which more has come than blanks
        self._stop: tuple[str, str | None] = ("end_turn", None)
        self._usage: Usage | None = None
        self._routing: object = None

    def take(self, data: bytes) -> bytes:
        """See `StreamTranslation.take`."""
        events: list[dict[str, Any]] = []
        for chunk in self._reader.take(data):
            if self._backends.fault is not None:
                break
            if chunk == "comment":
                events.append({"type": "ping"})
            elif chunk == "done":
                events += self._begin() + self._told(self._sequence.finish())
                events += self._end() if self._backends.fault is None else []
            else:
                events += self._begin() + self._chunk(chunk)
        return b"".join(_event(event) for event in events)

    def error(self, reply: ErrorReply, *, request_id: str) -> bytes:
        """See `StreamTranslation.error`."""
        return _event(anthropic_error(reply, request_id=request_id))

    def _begin(self) -> list[dict[str, Any]]:
        if self._begun:
            return []
        self._begun = True
        message: dict[str, Any] = {
            "id": self._answering.answer_id,
            "type": "message",
            "role": "assistant",
            "model": self._answering.model_id,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_of(None),
        }
        return [{"type": "message_start", "message": message}, {"type": "ping"}]

    def _chunk(self, chunk: Mapping[str, Any]) -> list[dict[str, Any]]:
        self._usage = read_usage(chunk.get("usage")) or self._usage
        self._routing = chunk.get("routing", self._routing)
        choices = chunk.get("choices")
        choice = choices[0] if choices else {}
        events = self._told(self._sequence.take(choice.get("delta")))
        if choice.get("finish_reason"):
            self._stop = stop_of(choice, self._answering.request.body.get("stop"), self._sequence.pieces)
        return events

    def _told(self, steps: list[Step]) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        for step in steps:
            if self._is_malformed(step):
                self._backends.fault = f"called the tool {step.piece.name} with malformed arguments"
                break
            at = {"index": step.piece.index}
            if step.act == "open":
                events.append({"type": "content_block_start", **at, "content_block": _opening(step.piece)})
            elif step.act == "add":
                events.append({"type": "content_block_delta", **at, "delta": _delta(step)})
            else:
                if step.piece.kind == "reasoning" and step.piece.redacted is None:
                    signed = {"type": "signature_delta", "signature": step.piece.signature}
                    events.append({"type": "content_block_delta", **at, "delta": signed})
                events.append({"type": "content_block_stop", **at})
        return events

    def _is_malformed(self, step: Step) -> bool:
        """A call that begins as no object, or is complete and none; one that was cut short has a stop reason."""
        if step.piece.kind != "tool" or step.act == "open":
            return False
        if step.act == "add":
            first = step.text.lstrip()[:1]
            if first == "" or step.piece.index in self._begun_calls:
                return False
            self._begun_calls.add(step.piece.index)
            return first != "{"
        return self._stop[0] != "max_tokens" and not is_input(step.piece)

    def _end(self) -> list[dict[str, Any]]:
        reason, sequence = self._stop
        delta = {"stop_reason": reason, "stop_sequence": sequence, "stop_details": stop_details(reason)}
        last: dict[str, Any] = {"type": "message_delta", "delta": delta, "usage": usage_of(self._usage)}
        if self._routing is not None:
            last["routing"] = self._routing
        return [last, {"type": "message_stop"}]


def _opening(piece: Piece) -> dict[str, Any]:
    match piece.kind:
        case "tool":
            return {"type": "tool_use", "id": piece.call_id, "name": piece.name, "input": {}}
        case "reasoning" if piece.redacted is not None:
            return {"type": "redacted_thinking", "data": piece.redacted}
        case "reasoning":
            return {"type": "thinking", "thinking": "", "signature": ""}
        case _:
            return {"type": "text", "text": ""}


def _delta(step: Step) -> dict[str, Any]:
    match step.piece.kind:
        case "tool":
            return {"type": "input_json_delta", "partial_json": step.text}
        case "reasoning":
            return {"type": "thinking_delta", "thinking": step.text}
        case _:
            return {"type": "text_delta", "text": step.text}


def _event(event: Mapping[str, Any]) -> bytes:
    body = orjson.dumps(event, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    return b"event: %s\ndata: %s\n\n" % (str(event["type"]).encode(), body)
