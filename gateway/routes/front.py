"""What a request meets first: the hot doors, and before every other address who may come in and with how much."""

from collections.abc import Awaitable, Callable, Mapping

from catalog import ParetoGateError
from gateway.errors import ErrorReply, ForbiddenError, anthropic_error, openai_error, reply_to
from gateway.governance.governor import Governor
from gateway.wire.asgi import (
    ClientGoneError,
    Headers,
    Receive,
    Scope,
    Send,
    read_body,
    read_headers,
    replaying,
    send_json,
)
from gateway.wire.body import read_json

from .cors import Cors
from .pages import check_page

__all__ = ["Asgi", "Front", "error_body", "error_headers"]

Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

_METHOD_NOT_ALLOWED = ErrorReply(
    status=405, kind="invalid_request_error", code="method_not_allowed", message="this address takes POST"
)
_FOR_ADMINS = ("/metrics", "/dashboard/data")  # the pages themselves hold nothing
_GUARDED = ("/v1/", *_FOR_ADMINS)
_ANTHROPIC = "/v1/messages"
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Front:
    """Hands each request to its door, or to the framework behind all of them."""

    def __init__(
        self,
        doors: Mapping[str, Asgi],
        framework: Asgi,
        *,
        governor: Governor,
        max_body_bytes: int,
        mounted: Mapping[str, Asgi] | None = None,
        check_pages: bool = False,
        cors: Cors | None = None,
    ) -> None:
        """All take POST alone; `doors` answer for themselves, those `mounted` raise what they refuse.

        `check_pages`: keep out what pages of other sites send, but for those that `cors` lets in.
        """
        self._doors, self._framework, self._mounted = doors, framework, mounted or {}
        self._governor, self._max_body_bytes, self._check_pages = governor, max_body_bytes, check_pages
        self._cors = cors or Cors(())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the application."""
        if scope["type"] != "http":
            await self._framework(scope, receive, send)
            return
        if (origin := self._cors.origin(scope["headers"])) is not None:
            send = self._cors.telling(send, origin)
        if self._check_pages:
            try:
                check_page(scope["headers"], welcome=origin)
            except ForbiddenError as exc:
                await _send_refusal(send, scope["path"], reply_to(exc))
                return
        if origin is not None and (told_first := self._cors.preflight(scope["method"], scope["headers"])) is not None:
            await send({"type": "http.response.start", "status": 204, "headers": told_first})
            await send({"type": "http.response.body", "body": b""})
            return
        if (door := self._doors.get(scope["path"])) is None and scope["path"] not in self._mounted:
            await self._behind(scope, receive, send)
        elif scope["method"] != "POST":
            await _send_refusal(send, scope["path"], _METHOD_NOT_ALLOWED, [(b"allow", b"POST")])
        elif door is None:
            await self._behind(scope, receive, send)
        else:
            await door(scope, receive, send)

    async def _behind(self, scope: Scope, receive: Receive, send: Send) -> None:
        mounted = self._mounted.get(scope["path"])
        try:
            if mounted is not None:
                await mounted(scope, receive, send)
                return
            self._guard(scope)
            receive = await self._whole_body(scope, receive)
        except ClientGoneError:
            return
        except ParetoGateError as exc:
            await _send_refusal(send, scope["path"], reply_to(exc))
            return
        if scope["method"] == "HEAD":  # RFC 9110, section 9.3.2: as GET, and the server leaves the body out
            scope = {**scope, "method": "GET"}
        await self._framework(scope, receive, send)

    def _guard(self, scope: Scope) -> None:
        """Let only those pass to the framework's addresses who may; whose a request is then stands in its scope.

        Raises:
            UnauthenticatedError, ForbiddenError.
        """
        if not scope["path"].startswith(_GUARDED):
            return
        headers = read_headers(scope)
        if scope["path"].startswith(_FOR_ADMINS):
            self._governor.admin(headers)
        scope["paretogate.key"] = self._governor.caller(headers)

    async def _whole_body(self, scope: Scope, receive: Receive) -> Receive:
        """The framework would take in a body of any size, and its JSON reader falls over what is nested deep.

        Raises:
            BodyTooLargeError, SlowRequestError, InvalidRequestError, ClientGoneError.
        """
        if scope["method"] not in _WITH_BODY:
            return receive
        body = await read_body(scope, receive, limit_bytes=self._max_body_bytes)
        if body:
            read_json(body)
        return replaying(body, receive)


def error_body(path: str, reply: ErrorReply) -> Mapping[str, object]:
    """The body of a refusal, in the protocol that is spoken at this address."""
    return anthropic_error(reply, request_id="") if path.startswith(_ANTHROPIC) else openai_error(reply)


def error_headers(reply: ErrorReply) -> Headers:
    """What a client shall do about it, in headers."""
    more: Headers = [(b"www-authenticate", b"Bearer")] if reply.status == 401 else []
    if reply.retry_after_s is not None:
        more.append((b"retry-after", str(max(1, round(reply.retry_after_s))).encode()))
    return more


async def _send_refusal(send: Send, path: str, reply: ErrorReply, more: Headers | None = None) -> None:
    await send_json(send, reply.status, error_body(path, reply), [*error_headers(reply), *(more or [])])
