"""One request and its answer on a connection: uvicorn's, in fewer steps, and with three short ways beside ASGI.

Uvicorn looks through every header of an answer with two regular expressions and writes what it finds piece by piece:
for the fourteen of ours a twentieth of a request's CPU. Here names are looked at when they are first met together, and
all values at once. The head of an answer of known length leaves with its body, in one system call. The short ways
spare a hot door a timer for a body that has come already, a task that waits for a client to leave, and two messages
for one answer.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

__all__ = ["Cycle"]

# RFC 9110, sections 5.1 and 5.5: names are tokens, and values hold no control character but the tabulator.
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = bytes([*range(0x09), *range(0x0A, 0x20), 0x7F])
_TELLING = frozenset({b"content-length", b"transfer-encoding", b"connection"})  # how the answer or the connection ends
_BODILESS = frozenset({204, 304})
_CONNECTION = "paretogate.connection"


class Cycle(RequestResponseCycle):
    """See `wire.asgi.DirectConnection` for what it offers beside ASGI."""

    _when_gone: Callable[[], None] | None = None
    _head = b""  # of an answer of known length, until its body comes
    _ends_with_connection = False  # of unknown length, for a client of HTTP/1.0, which knows no chunks

    @classmethod
    def of(cls, cycle: RequestResponseCycle) -> "Cycle":
        """The very same cycle, which is of this class from now on: uvicorn lets nobody choose the class it makes."""
        cycle.__class__ = cls
        ours = cast("Cycle", cycle)
        ours.scope[_CONNECTION] = ours  # type: ignore[literal-required] # ours to add
        return ours

    def body_at_hand(self) -> bytes | None:
        """The whole body, once; None where it has not all come, or the client waits to be told to send it."""
        if self.more_body or self.disconnected or self.waiting_for_100_continue:
            return None
        body, self.body = bytes(self.body), bytearray()
        self.message_event.clear()
        return body

    def call_when_gone(self, callback: Callable[[], None] | None) -> None:
        """Call this, once, should the client leave before it has its answer; None: call nobody."""
        self._when_gone = callback
        if callback is not None and self.disconnected:
            self.client_left()

    def client_left(self) -> None:
        """Tell whoever wanted to know."""
        callback, self._when_gone = self._when_gone, None
        if callback is not None and not self.response_complete:
            callback()

    def answer_at_once(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """A whole answer, whose length is among the headers; False where it must go the long way, by messages."""
        if self.flow.write_paused or self.disconnected or self.response_started:
            return False
        if not body or status in _BODILESS or self.scope["method"] == "HEAD":
            return False
        self._start(status, [*self.default_headers, *headers])
        self._complete(body)
        return True

    def part(self) -> None:
        """The answer is sent: the scope leads here no more, or only the garbage collector would let go of the two."""
        self.scope.pop(_CONNECTION, None)  # type: ignore[misc] # ours to take back

    async def send(self, message: Any) -> None:  # noqa: ANN401 - ASGI's
        """What uvicorn's does, for the messages of which an answer consists."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started and message["type"] == "http.response.start":
            self._start(message["status"], [*self.default_headers, *message.get("headers", ())])
        elif self.chunked_encoding and message.get("more_body") and message["type"] == "http.response.body":
            self._chunk(message.get("body", b""))
        elif self._head and self._is_whole(message):
            self._complete(message["body"])
        elif self._ends_with_connection and message["type"] == "http.response.body":
            self._write_on(message)
        else:
            self._write_head()
            await super().send(message)

    def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        names, values = zip(*headers, strict=True) if headers else ((), ())
        together = b"".join(values)
        if len(together.translate(None, _CONTROL)) != len(together):
            raise RuntimeError("an answer has a header with a control character in its value")
        form, telling = _form_of(names)
        closes_itself = False
        for at, name in telling:
            self._frame(name, values[at])
            closes_itself |= name == b"connection" and _says_close(values[at])
        lines = [STATUS_LINE[status], form % values]
        self.response_started, self.waiting_for_100_continue = True, False
        if closes_itself:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close\r\n")
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in _BODILESS:
            if self.scope.get("http_version") == "1.0":  # RFC 9112, section 6.1
                self._ends_with_connection, self.keep_alive = True, False
            else:
                self.chunked_encoding = True
                lines.append(b"transfer-encoding: chunked\r\n")
        lines.append(b"\r\n")
        self._head = b"".join(lines)
        if self.chunked_encoding is not False:
            self._write_head()  # the first event of a stream may be long in coming

    def _frame(self, name: bytes, value: bytes) -> None:
        """Headers that say where the answer ends."""
        if name == b"content-length" and self.chunked_encoding is None:
            self.expected_content_length, self.chunked_encoding = int(value), False
        elif name == b"transfer-encoding" and value.lower() == b"chunked":
            self.expected_content_length, self.chunked_encoding = 0, True

    def _write_head(self) -> None:
        head, self._head = self._head, b""
        if head:
            self.transport.write(head)

    def _is_whole(self, message: Any) -> bool:  # noqa: ANN401 - ASGI's
        return (
            message["type"] == "http.response.body"
            and not message.get("more_body")
            and 0 < self.expected_content_length == len(message.get("body", b""))
            and self.scope["method"] != "HEAD"
        )

    def _complete(self, body: bytes) -> None:
        head, self._head = self._head, b""
        self.transport.writelines((head, body))
        self.expected_content_length, self.response_complete = 0, True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()

    def _write_on(self, message: Any) -> None:  # noqa: ANN401 - ASGI's
        """More of an answer that ends with its connection."""
        self.transport.write(message.get("body", b""))
        if not message.get("more_body"):
            self.response_complete = True
            self.message_event.set()
            self.transport.close()
            self.on_response()

    def _chunk(self, body: bytes) -> None:
        if body and self.scope["method"] != "HEAD":
            self.transport.write(b"%x\r\n%b\r\n" % (len(body), body))


def _says_close(value: bytes) -> bool:
    return b"close" in [token.strip() for token in value.lower().split(b",")]


@lru_cache(maxsize=512)  # the same headers in the same order again and again
def _form_of(names: tuple[bytes, ...]) -> tuple[bytes, list[tuple[int, bytes]]]:
    """The lines of these headers with gaps for their values, and which of them are telling ones."""
    if not all(map(_NAME.fullmatch, names)):
        raise RuntimeError("an answer has a header with an impossible name")
    lower = [name.lower() for name in names]
    lines = [name.replace(b"%", b"%%") + b": %b\r\n" for name in lower]
    return b"".join(lines), [(at, name) for at, name in enumerate(lower) if name in _TELLING]
