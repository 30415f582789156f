"""What Anthropic answers to a client that speaks Messages: it passes as it came, and is read on its way.

Two things change: the model goes by the catalog's name, and `routing` tells what is known of the call. Blocks of which
chat knows nothing (searches, code, citations, whatever comes next) are none of our business.
"""

from typing import Any

from catalog import record
from gateway.errors import ErrorReply, anthropic_error
from gateway.wire.answer import ChatAnswer
from gateway.wire.stream import ChatStream

from .answer import FINISH_REASONS, completion_of, read_object_of
from .events import event_bytes, event_lines, fault_of, merged, read_event
from .usage import read_message_usage

__all__ = ["NativeMessage", "PassingEvents", "PassingStream", "read_message"]

_NAMED = b"event: %s\ndata:"
_NO_ANSWER = "ended the stream without an answer"
_SILENT = frozenset({"text", "thinking"})  # blocks that begin empty


@record
class NativeMessage(ChatAnswer):
    """A whole message."""

    @property
    def choices(self) -> list[dict[str, Any]]:
        """What the model said, as chat tells it."""
        found: list[dict[str, Any]] = completion_of(self._body)["choices"]
        return found


def read_message(raw: bytes, *, backend_id: str) -> NativeMessage:
    """Take a message apart.

    Raises:
        UpstreamProtocolError: it is none.
    """
    body = read_object_of(raw, backend_id=backend_id)
    return NativeMessage(
        raw=raw,
        response_id=_text(body.get("id")),
        model_returned=_text(body.get("model")),
        finish_reason=FINISH_REASONS.get(str(body.get("stop_reason"))),
        usage=read_message_usage(body.get("usage")),
        tools_called=tuple(
            block["name"]
            for block in body["content"]
            if block.get("type") == "tool_use" and isinstance(block.get("name"), str)
        ),
        _body=body,
    )


class PassingStream(ChatStream):
    """Anthropic's events in, the same events out."""

    _counts: object = None  # of the start, which the end completes

    def _take_event(self, event: bytes) -> bytes | None:
        data = read_event(event)
        if data is None:
            self.fault = "sent a malformed event"
            return None
        match data.get("type"):
            case None:
                return event if event.strip() else None
            case "content_block_delta":
                self.started = True
            case "content_block_start":
                self._note_block(data.get("content_block"))
            case "message_start":
                return self._begin(data)
            case "message_delta":
                return self._last(data)
            case "message_stop":
                self.done, self.fault = self._saw_choice, None if self._saw_choice else _NO_ANSWER
            case "error":
                self.fault = fault_of(data)
        if self.fault is not None:
            return None
        return event if event.startswith(_NAMED % data["type"].encode()) else event_lines(data)  # clients go by names

    def finish(self) -> bytes:
        """See `ChatStream.finish`: an end mark that is missing after the stop reason is supplied."""
        out = b""
        if any(part.strip() for part in self._held) and not self.has_ended():
            out = self.take(b"\n\n")
        if self.has_ended():
            return out
        if self.finish_reason is None:
            self.fault = "ended the stream before the answer was finished"
            return out
        self.done = True
        return out + event_bytes({"type": "message_stop"})

    def _note_block(self, block: object) -> None:
        if not isinstance(block, dict):
            return
        kind = str(block.get("type"))
        self.started = self.started or kind not in _SILENT or bool(block.get(kind))
        if kind == "tool_use" and isinstance(block.get("name"), str):
            self.tools_called.append(block["name"])

    def _begin(self, data: dict[str, Any]) -> bytes | None:
        message = data.get("message")
        if not isinstance(message, dict):
            self.fault = "sent a malformed event"
            return None
        self._saw_choice = True
        self._counts = message.get("usage")
        self.response_id, self.model_returned = _text(message.get("id")), _text(message.get("model"))
        return event_lines({**data, "message": {**message, "model": self._model_id}})

    def _last(self, data: dict[str, Any]) -> bytes:
        delta, counts = data.get("delta"), data.get("usage")
        reason = delta.get("stop_reason") if isinstance(delta, dict) else None
        if isinstance(reason, str):
            self.finish_reason = FINISH_REASONS.get(reason, "stop")
            self.started = True
        self.usage = read_message_usage(merged(self._counts, counts)) or self.usage
        if self._late_facts is None:
            return event_lines(data)
        return event_lines({**data, "routing": self._late_facts(self.usage, self.model_returned)})


class PassingEvents:
    """How a stream that passes is told: it is told already."""

    def take(self, data: bytes) -> bytes:
        """See `StreamTranslation.take`."""
        return data

    def error(self, reply: ErrorReply, *, request_id: str) -> bytes:
        """See `StreamTranslation.error`."""
        return event_bytes(anthropic_error(reply, request_id=request_id))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
