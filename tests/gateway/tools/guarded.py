"""A door that asks for a header before it lets anybody in, as hosted MCP servers do."""

from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["guarded", "guarded_calls"]

Asgi = Callable[[Any, Any, Any], Awaitable[None]]


def guarded(app: Asgi, authorization: str, *, room: str | None = None) -> Asgi:
    """The application behind a 401 for whoever does not send this, and the room where there is one."""

    async def door(scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope.get("headers", ()))
        wanted = {b"authorization": authorization, **({b"x-room": room} if room is not None else {})}
        if scope["type"] != "http" or all(headers.get(k) == v.encode() for k, v in wanted.items()):
            await app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 401, "headers": [(b"www-authenticate", b"Bearer")]})
        await send({"type": "http.response.body", "body": b"who are you?"})

    return door


def guarded_calls(app: Asgi) -> Asgi:
    """The application, which lets everybody look and answers calls of tools by a 401."""

    async def door(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await app(scope, receive, send)
            return
        asked = await receive()
        assert not asked.get("more_body")
        if b"tools/call" in asked["body"]:
            await guarded(app, "nobody's")(scope, receive, send)
            return
        told = [asked]

        async def again() -> Any:
            return told.pop() if told else await receive()

        await app(scope, again, send)

    return door
