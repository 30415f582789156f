"""A backend's whole answer: what we learn from it, and the bytes that the client gets."""

from collections.abc import Mapping
from typing import Any

import orjson

from catalog import Usage, record
from gateway.errors import UpstreamProtocolError

from .usage import read_usage

__all__ = ["ChatAnswer", "answered_object", "read_answer"]


@record
class ChatAnswer:
    """One chat completion that is known to be one."""

    raw: bytes
    response_id: str | None
    model_returned: str | None  # as the backend calls it
    finish_reason: str | None
    usage: Usage | None
    tools_called: tuple[str, ...]
    _body: dict[str, Any]

    @property
    def choices(self) -> list[dict[str, Any]]:
        """What the model said, in each of its tries."""
        found: list[dict[str, Any]] = self._body["choices"]
        return found

    @property
    def service_tier(self) -> str | None:
        """How urgently the backend says it answered, in its own words."""
        return _text(self._body.get("service_tier"))

    def for_client(self, model_id: str, routing: Mapping[str, object] | None = None) -> bytes:
        """The answer with the catalog's name of the model that gave it, and with an explanation where asked for.

        Nothing else changes: the name is put into the backend's own bytes where that is unambiguous.
        """
        if routing is None:
            if self.model_returned == model_id:
                return self.raw
            if (renamed := _rename(self.raw, self.model_returned, model_id)) is not None:
                return renamed
        body = {**self._body, "model": model_id}
        if routing is not None:
            body["routing"] = routing
        return orjson.dumps(body, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def answered_object(raw: bytes, *, backend_id: str) -> dict[str, Any]:
    """What a backend answered, in whatever dialect.

    Raises:
        UpstreamProtocolError: it is empty, not JSON, no object, or an error with a status of success.
    """
    if not raw.strip():
        raise UpstreamProtocolError("answered with an empty body", backend_id=backend_id)
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        raise UpstreamProtocolError(f"answered with malformed JSON ({exc.msg})", backend_id=backend_id) from exc
    if not isinstance(body, dict):
        raise UpstreamProtocolError("answered with JSON that is no object", backend_id=backend_id)
    if body.get("error"):
        raise UpstreamProtocolError("reported an error with a status of success", backend_id=backend_id)
    return body


def read_answer(raw: bytes, *, backend_id: str) -> ChatAnswer:
    """Take a completion apart.

    Raises:
        UpstreamProtocolError: it is empty, not JSON, an error with a status of success, or holds no choice.
    """
    body = answered_object(raw, backend_id=backend_id)
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not all(isinstance(c, dict) for c in choices):
        raise UpstreamProtocolError("answered without choices", backend_id=backend_id)
    return ChatAnswer(
        raw=raw,
        response_id=_text(body.get("id")),
        model_returned=_text(body.get("model")),
        finish_reason=_text(choices[0].get("finish_reason")),
        usage=read_usage(body.get("usage")),
        tools_called=tuple(name for choice in choices for name in _tool_names(choice.get("message"))),
        _body=body,
    )


def _tool_names(message: object) -> list[str]:
    calls = message.get("tool_calls") if isinstance(message, dict) else None
    found = []
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            found.append(function["name"])
    return found


def _rename(raw: bytes, old: str | None, new: str) -> bytes | None:
    if old is None or raw.count(b'"model"') != 1:
        return None
    name = orjson.dumps(old)
    for colon in (b'"model":', b'"model": '):
        if (colon + name) in raw:
            return raw.replace(colon + name, colon + orjson.dumps(new), 1)
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
