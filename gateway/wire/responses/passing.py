"""What OpenAI answers to a client that speaks Responses: it passes as it came, and is read on its way.

Three things change: the model goes by the catalog's name, the Response by its name here where it is stored here, and
`routing` tells what is known of the call. Items of which chat knows nothing (searches, code, whatever comes next) are
none of our business.

Source: OpenAI's API reference, Responses and Streaming events.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from catalog import Usage, record
from gateway.errors import ErrorReply, UpstreamProtocolError, openai_error
from gateway.wire.answer import ChatAnswer, answered_object
from gateway.wire.anthropic.events import event_bytes, event_lines, read_event
from gateway.wire.stream import ChatStream
from gateway.wire.usage import read_usage

from .stream import failure_code

__all__ = ["NativeResponse", "PassingResponse", "PassingResponseEvents", "read_response"]

_BEGINNINGS = frozenset({"response.created", "response.in_progress", "response.queued"})
_ENDS = frozenset({"response.completed", "response.incomplete"})
_CUT_SHORT = {"max_output_tokens": "length", "content_filter": "content_filter"}
_CALLS = ("function_call", "custom_tool_call")
_TOLD = ("completed", "incomplete")  # statuses of a whole answer


@record
class NativeResponse(ChatAnswer):
    """A whole Response."""

    @property
    def choices(self) -> list[dict[str, Any]]:
        """What the model said, as chat tells it."""
        texts = [
            str(part.get("text") or "")
            for item in _items(self._body)
            if item.get("type") == "message" and isinstance(item.get("content"), list)
            for part in item["content"]
            if isinstance(part, dict)
        ]
        message = {"role": "assistant", "content": "".join(texts)}
        return [{"index": 0, "message": message, "finish_reason": self.finish_reason}]

    def named(self, model_id: str, routing: Mapping[str, object] | None) -> bytes:
        """The answer under the names that the client knows; see `ChatAnswer.for_client`."""
        if self.response_id == self._body.get("id"):
            return self.for_client(model_id, routing)
        body = {**self._body, "id": self.response_id, "model": model_id}
        return _dump(body if routing is None else {**body, "routing": routing})


def read_response(raw: bytes, *, backend_id: str) -> NativeResponse:
    """Take a Response apart.

    Raises:
        UpstreamProtocolError: it is none, or it failed.
    """
    body = answered_object(raw, backend_id=backend_id)
    if not isinstance(body.get("output"), list):
        raise UpstreamProtocolError("answered without an output", backend_id=backend_id)
    if body.get("status", "completed") not in _TOLD:
        raise UpstreamProtocolError("reported that the response failed", backend_id=backend_id)
    items = _items(body)
    return NativeResponse(
        raw=raw,
        response_id=_text(body.get("id")),
        model_returned=_text(body.get("model")),
        finish_reason=_finish_reason(body),
        usage=_usage(body),
        tools_called=tuple(
            item["name"] for item in items if item.get("type") in _CALLS and isinstance(item.get("name"), str)
        ),
        _body=body,
    )


class PassingResponse(ChatStream):
    """The events of a Response in, the same events out."""

    frame: Mapping[str, Any] = {}  # the Response as the last event that told all of it did

    def _take_event(self, event: bytes) -> bytes | None:
        data = read_event(event)
        if data is None:
            self.fault = "sent a malformed event"
            return None
        kind = data.get("type")
        if kind is None:
            return event if event.strip() else None
        response = data.get("response")
        if isinstance(response, dict):
            return self._frame(kind, data, response)
        if kind == "error":
            self.fault = "reported an error in the stream"
            return None
        if kind in _BEGINNINGS or kind in _ENDS:
            self.fault = "sent a malformed event"
            return None
        self.started = True
        if kind == "response.output_item.done":
            self._note(data.get("item"))
        return event

    def finish(self) -> bytes:
        """See `ChatStream.finish`: without its last event a Response is not whole."""
        out = b""
        if any(part.strip() for part in self._held) and not self.has_ended():
            out = self.take(b"\n\n")
        if not self.has_ended():
            self.fault = "ended the stream before the answer was finished"
        return out

    def _frame(self, kind: str, data: dict[str, Any], response: dict[str, Any]) -> bytes | None:
        if kind == "response.failed":
            self.fault = "reported that the response failed"
            return None
        self.response_id = _text(response.get("id")) or self.response_id
        self.model_returned = _text(response.get("model")) or self.model_returned
        response["model"] = self._model_id
        if kind in _ENDS:
            self.started = self.done = True
            self.usage, self.finish_reason = _usage(response), _finish_reason(response)
            if self._late_facts is not None:
                response["routing"] = self._late_facts(self.usage, self.model_returned)
        self.frame = response
        return event_lines(data)

    def _note(self, item: object) -> None:
        if isinstance(item, dict) and item.get("type") in _CALLS and isinstance(item.get("name"), str):
            self.tools_called.append(item["name"])


class PassingResponseEvents:
    """How a stream that passes is told: it is told already, but for the name under which it is stored here."""

    def __init__(self, reader: PassingResponse, *, stored_as: str | None) -> None:
        self._reader, self._stored_as = reader, stored_as
        self._whole_was_taken = False

    def take(self, data: bytes) -> bytes:
        """See `StreamTranslation.take`."""
        old = self._reader.response_id
        if self._stored_as is None or old is None:
            return data
        return data.replace(orjson.dumps(old), orjson.dumps(self._stored_as))

    def take_whole(self) -> bytes | None:
        """The whole Response, once it is complete, and only once."""
        if not self._reader.done or self._whole_was_taken:
            return None
        self._whole_was_taken = True
        return _dump({**self._reader.frame, **self._name()})

    def error(self, reply: ErrorReply, *, request_id: str) -> bytes:
        """See `StreamTranslation.error`."""
        error = {"code": failure_code(reply), "message": reply.message}
        failed = {**self._reader.frame, **self._name(), "status": "failed", "error": error}
        refusal = openai_error(reply)["error"]
        more = {"code": reply.code, "message": reply.message, "param": reply.param, "error": refusal}
        return event_bytes({"type": "response.failed", "response": failed}) + event_bytes(
            {"type": "error", **more, "request_id": request_id}
        )

    def _name(self) -> dict[str, str]:
        return {} if self._stored_as is None else {"id": self._stored_as}


def _usage(response: Mapping[str, Any]) -> Usage | None:
    """Counts in Responses' words; the searches of the web are items, and are paid for."""
    counts = response.get("usage")
    if not isinstance(counts, dict):
        return None
    usage = read_usage(
        {
            "prompt_tokens": counts.get("input_tokens"),
            "completion_tokens": counts.get("output_tokens"),
            "total_tokens": counts.get("total_tokens"),
            "prompt_tokens_details": counts.get("input_tokens_details"),
            "completion_tokens_details": counts.get("output_tokens_details"),
        }
    )
    searches = sum(map(_is_search, _items(response)))
    return replace(usage, web_searches=searches) if usage is not None and searches else usage


def _is_search(item: Mapping[str, Any]) -> bool:
    """Whether it is a search that is charged: opening a page that was found is not."""
    action = item.get("action")
    kind = action.get("type", "search") if isinstance(action, dict) else "search"
    return item.get("type") == "web_search_call" and kind == "search"


def _finish_reason(response: Mapping[str, Any]) -> str:
    details = response.get("incomplete_details")
    if response.get("status") == "incomplete":
        reason = details.get("reason") if isinstance(details, dict) else None
        return _CUT_SHORT.get(str(reason), "length")
    return "tool_calls" if any(item.get("type") in _CALLS for item in _items(response)) else "stop"


def _items(response: Mapping[str, Any]) -> list[dict[str, Any]]:
    output = response.get("output")
    return [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _dump(value: object) -> bytes:
    return orjson.dumps(value, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
