"""The thinnest layer over ASGI that the hot doors need: a body in, JSON or a stream out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import orjson

from gateway.errors import BodyTooLargeError, InvalidRequestError

__all__ = [
    "ClientGoneError",
    "Headers",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "cancelled_by_disconnect",
    "read_body",
    "read_headers",
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


class ClientGoneError(Exception):
    """The client has closed its connection; there is nobody to tell."""


def read_headers(scope: Scope) -> dict[str, str]:
    """Header names in lower case; of repeated ones, the last."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def read_body(scope: Scope, receive: Receive, *, limit_bytes: int) -> bytes:
    """The whole body.

    Raises:
        BodyTooLargeError: it is announced or turns out to be larger than the limit.
        InvalidRequestError: it does not arrive in time.
        ClientGoneError: the client left before it was complete.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limit_bytes:
            raise BodyTooLargeError(limit_bytes=limit_bytes)
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
        raise InvalidRequestError(
            f"the body did not arrive within {_BODY_TIMEOUT_S:g} s", code="request_timeout"
        ) from exc


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


@asynccontextmanager
async def cancelled_by_disconnect(receive: Receive) -> AsyncIterator[None]:
    """Whatever runs in here is cancelled when the client leaves.

    Raises:
        ClientGoneError: it did.
    """
    task = asyncio.current_task()
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        if task is not None:
            task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if gone and task is not None and task.uncancel() == 0:
            raise ClientGoneError from None
        raise
    finally:
        watcher.cancel()


async def send_json(
    send: Send, status: int, value: Mapping[str, object], headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    """A whole JSON response."""
    body = orjson.dumps(value, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    await send_bytes(send, status, body, headers)


async def send_bytes(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """A whole JSON response that is bytes already."""
    start = [_JSON, (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
