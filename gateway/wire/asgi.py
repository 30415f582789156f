"""The thinnest layer over ASGI that the hot doors need: a body in, JSON or a stream out."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from types import TracebackType
from typing import Any, Protocol

import orjson

from gateway.errors import BodyTooLargeError, InvalidRequestError, SlowRequestError

__all__ = [
    "ClientGoneError",
    "DirectConnection",
    "Headers",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "cancelled_by_disconnect",
    "read_body",
    "read_headers",
    "replaying",
    "send_bytes",
    "send_json",
]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_BODY_TIMEOUT_S = 30.0
_JSON = (b"content-type", b"application/json")
_WISHES = {b"x-paretogate-require": b"; ", b"x-paretogate-policy": b", "}  # what stands between several of them


class DirectConnection(Protocol):
    """A connection of our own server, found in the scope: what ASGI says in messages, it says in calls."""

    def body_at_hand(self) -> bytes | None:
        """The whole body, once; None where it has not all come."""
        ...

    def call_when_gone(self, callback: Callable[[], None] | None) -> None:
        """Call this, once, should the client leave before it has its answer; None: call nobody."""
        ...

    def answer_at_once(self, status: int, headers: Headers, body: bytes) -> bool:
        """A whole answer, whose length is among the headers; False where it must go the long way, by messages."""
        ...


class ClientGoneError(Exception):
    """The client has closed its connection; there is nobody to tell."""


def read_headers(scope: Scope) -> dict[str, str]:
    """Header names in lower case; of repeated ones, the last, but of those that are wishes nothing is lost."""
    given = scope["headers"]
    found = {name.decode("latin-1"): value.decode("latin-1") for name, value in given}
    return found if len(found) == len(given) else {**found, **_repeated_wishes(given)}


def _repeated_wishes(given: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """What was wished for line by line, as one line; two different policies make one that nobody knows."""
    said: dict[bytes, dict[bytes, None]] = {}
    for name, value in given:
        if name in _WISHES:
            said.setdefault(name, {})[value] = None
    return {name.decode("latin-1"): _WISHES[name].join(values).decode("latin-1") for name, values in said.items()}


async def read_body(scope: Scope, receive: Receive, *, limit_bytes: int) -> bytes:
    """The whole body.

    Raises:
        BodyTooLargeError: it is announced or turns out to be larger than the limit.
        InvalidRequestError: it is compressed.
        SlowRequestError: it does not arrive in time.
        ClientGoneError: the client left before it was complete.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limit_bytes:
            raise BodyTooLargeError(limit_bytes=limit_bytes)
        if name == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
            raise InvalidRequestError(
                "content-encoding: bodies are read as they are; send it uncompressed", param="content-encoding"
            )
    if (connection := _connection(scope)) is not None and (at_hand := connection.body_at_hand()) is not None:
        if len(at_hand) > limit_bytes:
            raise BodyTooLargeError(limit_bytes=limit_bytes)
        return at_hand
    try:
        async with asyncio.timeout(_BODY_TIMEOUT_S):
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                body: bytes = message.get("body", b"")
                if len(body) > limit_bytes:
                    raise BodyTooLargeError(limit_bytes=limit_bytes)
                return body
            return await _read_rest(message, receive, limit_bytes)
    except TimeoutError as exc:
        raise SlowRequestError(what="body", after_s=_BODY_TIMEOUT_S) from exc


async def _read_rest(message: Message, receive: Receive, limit_bytes: int) -> bytes:
    parts, size = [], 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        part = message.get("body", b"")
        size += len(part)
        if size > limit_bytes:
            raise BodyTooLargeError(limit_bytes=limit_bytes)
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()


def replaying(body: bytes, receive: Receive) -> Receive:
    """A channel that tells a body that was read already, and then what else happens."""
    is_replayed = False

    async def again() -> Message:
        nonlocal is_replayed
        if is_replayed:
            return await receive()
        is_replayed = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


class cancelled_by_disconnect:  # noqa: N801 - reads as a statement: `async with cancelled_by_disconnect(...):`
    """Whatever runs in here is cancelled when the client leaves. A class, since a generator costs twice as much.

    Raises:
        ClientGoneError: it did.
    """

    __slots__ = ("_connection", "_gone", "_receive", "_task", "_watcher")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._connection, self._receive, self._gone = _connection(scope), receive, False
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._task = asyncio.current_task()
        if self._connection is not None:
            self._connection.call_when_gone(self._cancel)
        else:
            self._watcher = asyncio.create_task(self._watch())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.call_when_gone(None)
        if self._watcher is not None:
            self._watcher.cancel()
        cancelled = self._gone and isinstance(error, asyncio.CancelledError)
        if cancelled and self._task is not None and self._task.uncancel() == 0:
            raise ClientGoneError from None

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._cancel()

    def _cancel(self) -> None:
        self._gone = True
        if self._task is not None:
            self._task.cancel()


def _connection(scope: Scope) -> DirectConnection | None:
    found: DirectConnection | None = scope.get("paretogate.connection")
    return found


async def send_json(
    send: Send, status: int, value: Mapping[str, object], headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """A whole JSON response."""
    body = orjson.dumps(value, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    await send_bytes(send, status, body, headers)


async def send_bytes(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """A whole JSON response that is bytes already."""
    all_headers = [_JSON, (b"content-length", b"%d" % len(body)), *headers]
    # The scope's connection is not asked: whoever stands between it and us, and has wrapped `send`, wants the messages.
    at_once: Callable[..., bool] | None = getattr(getattr(send, "__self__", None), "answer_at_once", None)
    if at_once is not None and at_once(status, all_headers, body):
        return
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": body})
