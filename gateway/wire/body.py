"""A request's body: from bytes to a checked chat request, and the bytes that a backend gets.

What need not change is forwarded byte for byte: the `model` is spliced into the client's own bytes, and only a
request with keys of ours in it is written anew.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from catalog import PoolEntry
from gateway.errors import InvalidRequestError

from .answer import ChatAnswer, read_answer
from .compatibility import adapted_fields, restorer
from .reasoning_signatures import carries_reasoning, portable
from .stream import ChatStream

__all__ = ["LARGE_BYTES", "ChatRequest", "read_chat", "read_json", "read_object", "splice_model"]

LARGE_BYTES = 500_000  # of so much, what is made of many small parts takes 20 ms to read: that is done in a thread

_MODEL = re.compile(rb'"model"\s*:\s*("(?:[^"\\]|\\.)*")')
_MAX_DEPTH = 100  # as deep as JSON may be nested; tool schemas reach about twenty
_MAX_INTEGER = 2**53  # beyond it, numbers differ between languages

_COUNTS = ("max_tokens", "max_completion_tokens", "n", "top_logprobs", "seed")
_NUMBERS = {  # the least and the most; what lies between, the backend judges
    "temperature": (0.0, 100.0),
    "top_p": (0.0, 1.0),
    "frequency_penalty": (-100.0, 100.0),
    "presence_penalty": (-100.0, 100.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """What a client asked of `/v1/chat/completions`."""

    raw: bytes
    body: dict[str, Any]
    model: str
    stream: bool
    wants_usage: bool  # of a stream, in its last chunk
    left_out: tuple[str, ...] = ()  # kinds of tools that it came with, no chat has, and it may do without

    @property
    def as_sent(self) -> Mapping[str, Any]:
        """The body in the client's own protocol; `body` says the same as a chat."""
        return self.body

    @property
    def refusal(self) -> InvalidRequestError | None:
        """Why only a backend that speaks the client's own protocol can answer; None where any can."""
        return None

    @property
    def may_go_as_sent(self) -> bool:
        """Whether a backend may get `as_sent`, where that is another thing than `body`."""
        return False

    @property
    def protocol(self) -> str | None:
        """The protocol that such a backend speaks, one of `catalog.PROTOCOLS`; None where any backend can answer."""
        return None

    @property
    def is_kept_there(self) -> bool:
        """Whether such a backend was asked to keep the answer."""
        return False

    def path(self, recipient: PoolEntry, *, changed: bool = False) -> str:  # noqa: ARG002 - others depend on them
        """Where this backend is asked, below its base URL; `changed`: with other messages than the client's own."""
        return "/chat/completions"

    def id_prefix(self, path: str) -> str | None:  # noqa: ARG002 - others depend on it
        """How ids of answers from there begin where they are told in another protocol; None where they pass."""
        return None

    def restorer(self, recipient: PoolEntry, path: str) -> Callable[[bytes], bytes] | None:
        """Puts the client's names of tools back into an answer from there; None where they were sent as they came."""
        return restorer(self.body, recipient) if path == "/chat/completions" else None

    def reader(self, path: str) -> type[ChatStream]:  # noqa: ARG002 - others depend on it
        """What reads a stream that comes from there."""
        return ChatStream

    def read_answer(self, raw: bytes, *, backend_id: str, path: str = "/chat/completions") -> ChatAnswer:  # noqa: ARG002 - others depend on it
        """A backend's whole answer, from where it was asked.

        Raises:
            UpstreamProtocolError: it is none.
        """
        return read_answer(raw, backend_id=backend_id)

    def for_backend(
        self,
        model_name: str,
        *,
        without: Collection[str] = (),
        replacing: Mapping[str, object] | None = None,
        recipient: PoolEntry | None = None,
    ) -> bytes:
        """The bytes that a backend gets: its own name of the model, and none of our keys.

        Args:
            model_name: the name the backend knows the model by.
            without: top-level keys that are ours.
            replacing: top-level values that differ, such as messages without flags.
            recipient: whose backend it is; reasoning that is bound to another maker stays behind.

        Raises:
            InvalidRequestError: the body is nested too deep to be written again.
        """
        messages = (replacing or {}).get("messages", self.body.get("messages"))
        if recipient is not None and carries_reasoning(messages):
            replacing = {**(replacing or {}), "messages": portable(messages, recipient.profile.owner)}
        if recipient is not None and (
            adapted := adapted_fields(
                {**self.body, **(replacing or {})} if replacing else self.body, recipient, asked_for=self.model
            )
        ):
            without = {*without, *(key for key, value in adapted.items() if value is None)}
            replacing = {**(replacing or {}), **{key: value for key, value in adapted.items() if value is not None}}
        include_usage = self.stream and not self.wants_usage and "stream_options" not in without
        untouched = not without and not replacing and not (include_usage and "stream_options" in self.body)
        if (
            untouched
            and "model" in self.body
            and (spliced := splice_model(self.raw, self.model, model_name)) is not None
        ):
            return _with_usage(spliced) if include_usage else spliced
        body = {key: value for key, value in self.body.items() if key not in without}
        body.update(replacing or {})
        body["model"] = model_name
        if include_usage:
            options = self.body.get("stream_options")
            body["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
        return orjson.dumps(body)


def read_object(raw: bytes) -> dict[str, Any]:
    """A JSON object, not nested absurdly deep, without NUL characters.

    Raises:
        InvalidRequestError: it is anything else.
    """
    body = read_json(raw)
    if not isinstance(body, dict):
        raise InvalidRequestError(f"the body must be a JSON object, not {_kind(body)}", code="invalid_json")
    return body


def read_json(raw: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Any JSON, not nested absurdly deep, without NUL characters.

    Raises:
        InvalidRequestError: it is none.
    """
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        raise InvalidRequestError(f"the body is not valid JSON: {exc}", code="invalid_json") from exc
    if _may_be_deep(raw):
        _check_depth(raw)
    if b"\\" in raw and b"\\u0000" in raw and _any_text(body, lambda text: "\x00" in text):
        raise InvalidRequestError("the body holds a NUL character (\\u0000); remove it", code="invalid_json")
    return body


def read_chat(raw: bytes) -> ChatRequest:
    """Check what the gateway relies on; whatever else there is, the backend judges.

    Raises:
        InvalidRequestError: naming the field.
    """
    body = read_object(raw)
    model = body.get("model", "auto")
    if not isinstance(model, str) or not model or len(model) > 256:
        raise InvalidRequestError("model: a name of a model, or auto", param="model")
    _check_messages(body.get("messages"))
    for name in _COUNTS:
        if name in body:
            _check_count(name, body[name])
    for name, (least, most) in _NUMBERS.items():
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidRequestError(f"{name}: must be a number, not {_kind(value)}", param=name)
        if not least <= value <= most:
            raise InvalidRequestError(f"{name}: must be between {least:g} and {most:g}", param=name)
    stream = body.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise InvalidRequestError(f"stream: must be true or false, not {_kind(stream)}", param="stream")
    options = body.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise InvalidRequestError(f"stream_options: must be an object, not {_kind(options)}", param="stream_options")
    return ChatRequest(
        raw=raw,
        body=body,
        model=model,
        stream=bool(stream),
        wants_usage=bool(options and options.get("include_usage")),
    )


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list) or not messages:
        raise InvalidRequestError("messages: must be a list with at least one message", param="messages")
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            where = f"messages[{index}]"
            raise InvalidRequestError(f"{where}: must be an object, not {_kind(message)}", param=where)
        if not isinstance(message.get("role"), str):
            where = f"messages[{index}].role"
            raise InvalidRequestError(f"{where}: must be a string such as user", param=where)
        if not isinstance(message.get("content"), str | list | None):
            where = f"messages[{index}].content"
            raise InvalidRequestError(f"{where}: must be a string or a list of parts", param=where)


def _check_count(name: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequestError(f"{name}: must be a whole number, not {_kind(value)}", param=name)
    least = -_MAX_INTEGER if name == "seed" else 0 if name == "top_logprobs" else 1
    if not least <= value <= _MAX_INTEGER:
        raise InvalidRequestError(f"{name}: must be between {least} and {_MAX_INTEGER}", param=name)


def _may_be_deep(raw: bytes) -> bool:
    """Whether it has more openings than it may have levels. Searching for so many costs less than counting all."""
    n_openings = 0
    for opening in (b"[", b"{"):
        at = raw.find(opening)
        while at >= 0:
            n_openings += 1
            if n_openings > _MAX_DEPTH:
                return True
            at = raw.find(opening, at + 1)
    return False


def _check_depth(raw: bytes) -> None:
    """Of bytes that are JSON, without walking through what was read from them: that takes a tenth of a second."""
    plain = raw.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in raw else raw
    marks = np.frombuffer(plain.translate(None, delete=_NO_MARKS), dtype=np.uint8)  # quotes and brackets
    in_text = np.cumsum(marks == ord('"'), dtype=np.uint8) & 1  # an odd number of quotes stands before
    steps = np.where(in_text, 0, _STEPS[marks])
    if steps.cumsum(dtype=np.int64).max(initial=0) > _MAX_DEPTH:
        raise InvalidRequestError(f"the body is nested deeper than {_MAX_DEPTH} levels", code="invalid_json")


_NO_MARKS = bytes(byte for byte in range(256) if byte not in b'"[]{}')
_STEPS = np.array([(byte in b"[{") - (byte in b"]}") for byte in range(256)], dtype=np.int8)


def _any_text(value: object, test: Callable[[str], bool]) -> bool:
    if isinstance(value, str):
        return test(value)
    if isinstance(value, dict):
        return any(test(key) or _any_text(child, test) for key, child in value.items())
    return isinstance(value, list) and any(_any_text(child, test) for child in value)


def splice_model(raw: bytes, model: str, model_name: str) -> bytes | None:
    """Put another name where the body's only `"model"` is; None where that cannot be told from the bytes."""
    if raw.count(b'"model"') != 1 or (found := _MODEL.search(raw)) is None or orjson.loads(found[1]) != model:
        return None
    return raw[: found.start(1)] + orjson.dumps(model_name) + raw[found.end(1) :]


def _with_usage(raw: bytes) -> bytes:
    start = raw.index(b"{") + 1
    return b"".join((raw[:start], b'"stream_options":{"include_usage":true},', raw[start:]))


def _kind(value: object) -> str:
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "an object"}
    return names.get(type(value), "null")
