"""Web pages that may call the gateway from a browser: those of origins that the operator has named (CORS).

A browser asks first (a preflight, which brings no key), and gives an answer to its page only where a header says that
the page may have it. A key comes in a header of the request, never as a cookie, so that no credentials are allowed to
be sent along unasked. Source: the Fetch standard, CORS protocol.
"""

from collections.abc import Collection, Iterable

from gateway.wire.asgi import Headers, Message, Send

__all__ = ["Cors"]

_ANY = "*"
_METHODS = b"GET, POST, PUT, DELETE"
_REMEMBERED_S = 7_200  # the longest that browsers remember


class Cors:
    """Who may call, and how a browser is told."""

    def __init__(self, origins: Collection[str]) -> None:
        """`origins` are as browsers tell them, `https://app.example`; `*` is all of them."""
        self._any, self._origins = _ANY in origins, frozenset(origin.encode("latin-1") for origin in origins)

    def origin(self, headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
        """Whose page sends this; None where it is no page, or one that may not."""
        for name, value in headers if self._origins else ():
            if name == b"origin":
                return value if self._any or value in self._origins else None
        return None

    def preflight(self, method: str, headers: Iterable[tuple[bytes, bytes]]) -> Headers | None:
        """What a browser is told that asks before it sends the request itself; None where it does not ask."""
        asked = dict(headers)
        if method != "OPTIONS" or b"access-control-request-method" not in asked:
            return None
        told = [(b"access-control-allow-methods", _METHODS), (b"access-control-max-age", b"%d" % _REMEMBERED_S)]
        if wanted := asked.get(b"access-control-request-headers"):  # by name, since `*` would leave out the key's
            told.append((b"access-control-allow-headers", wanted))
        return told

    def telling(self, send: Send, origin: bytes) -> Send:
        """The same way back, on which a browser is told that the page may have the answer and read its headers."""

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = [
                    (b"access-control-allow-origin", origin),
                    (b"access-control-expose-headers", b"*"),
                    (b"vary", b"origin"),
                ]
                message = {**message, "headers": [*message.get("headers", ()), *more]}
            await send(message)

        return told
