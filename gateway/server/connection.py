"""One client's connection: the limits of HTTP that the server itself does not keep.

A head (request line and headers) has so many bytes and fields and must be whole within a time; what is no HTTP, or too
much of it, gets an error in the client's own shape; a client that does not read its answer is let go. After an answer
that came before the request was whole, what the client still sends is thrown away for a while, so that it can read it.

Who offers to speak another protocol (Java's own client asks for HTTP/2 so, with every request at http://) is answered
in this one, as a server may: RFC 9110, section 7.8. The parser would take such a request's body for that protocol.
"""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.errors import (
    GatewayError,
    HeadersTooLargeError,
    InvalidRequestError,
    SlowRequestError,
    anthropic_error,
    openai_error,
    reply_to,
)

from .cycle import Cycle

__all__ = ["ConnectionLimits", "GuardedHttp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """How much of a client's patience and memory we lend."""

    head_bytes: int = 64 << 10  # request line and headers together
    head_fields: int = 256
    head_timeout_s: float = 15.0  # from the connection, or from the first byte of a later request
    linger_s: float = 10.0  # for a request that was answered before it was whole
    write_timeout_s: float = 120.0  # without the client reading anything


class GuardedHttp(HttpToolsProtocol):
    """Uvicorn's protocol with these limits."""

    def __init__(self, *args: Any, limits: ConnectionLimits | None = None, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*args, **kwargs)
        self._limits = limits or ConnectionLimits()
        self._in_head, self._in_message = True, False
        self._head_bytes = 0
        self._problem: GatewayError | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._idle_timer: asyncio.TimerHandle | None = None  # set once, and looked after when it is due
        self._idle_since_s: float | None = None  # by the loop's clock; None while a request comes or is answered
        self._write_timer: asyncio.TimerHandle | None = None
        self._answering: Cycle | None = None
        self._declining = False  # the request that was just read offers another protocol, and is to be read again

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """A client is here; it has so long to say what it wants."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._stop_timer()
        self._stop_write_timer()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        super().connection_lost(exc)
        if self._answering is not None:
            self._answering.client_left()

    def data_received(self, data: bytes) -> None:
        """Some bytes; while a head is not whole, they count against it."""
        if self._problem is not None:
            return  # it was told, and the connection is closing
        if self._in_head:
            self._head_bytes += len(data)
        self._idle_since_s = None
        self._feed(data)
        if self._in_head and not self.transport.is_closing():
            if self._head_bytes > self._limits.head_bytes:
                self._refuse(self._too_large())
            elif self._timer is None and (self._in_message or self._is_idle):
                self._await_head()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_message = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """One more field."""
        if len(self.headers) >= self._limits.head_fields or len(name) + len(value) > self._limits.head_bytes:
            self._problem = self._too_large()
            raise self._problem
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head, self._head_bytes = False, 0
        self._stop_timer()
        hosts = [name for name, _ in self.headers if name == b"host"]
        if len(hosts) != 1 and (hosts or self.parser.get_http_version() != "1.0"):  # RFC 9112, section 3.2
            self._problem = InvalidRequestError("send exactly one host header", param="host", code="malformed_http")
            raise self._problem
        self._declining = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if not self._declining:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole; what follows is another head."""
        self._in_head, self._in_message = True, False
        self._stop_timer()
        if self._declining:
            return  # the parser has passed over its body
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is sent, perhaps before the request was whole."""
        if self._answering is not None:
            self._answering.part()
        self._stop_write_timer()
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._await_request()
        if self._in_message and not self._in_head:
            self._timer = self.loop.call_later(self._limits.linger_s, self.transport.abort)

    def pause_writing(self) -> None:
        """The client reads slower than we write."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(self._limits.write_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It has caught up."""
        self._stop_write_timer()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - ours says more
        """What came is no HTTP, or more of it than anybody needs."""
        self._refuse(self._problem or InvalidRequestError("this is not valid HTTP/1.1", code="malformed_http"))

    def _feed(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
            except HttpParserUpgrade as exc:
                data = self._without_offer() + data[exc.args[0] :] if self._declining else b""
            except HttpParserError:
                self.send_400_response("")
                return
            else:
                return

    def _without_offer(self) -> bytes:
        """The head that was read last, as it would be without the offer, for a parser that is made ready for it."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        fields = b"".join(b"%b: %b\r\n" % field for field in self.headers if field[0] != b"upgrade")
        self._declining = False
        self.parser = HttpRequestParser(self)  # the other may hold the connection for closed
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        return b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, fields)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - uvicorn's
        self._answering = Cycle.of(cycle)
        super()._start_asgi_task(cycle, app)

    @property
    def _is_idle(self) -> bool:
        """Nothing is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _too_large(self) -> HeadersTooLargeError:
        return HeadersTooLargeError(limit_bytes=self._limits.head_bytes, limit_fields=self._limits.head_fields)

    def _refuse(self, problem: GatewayError) -> None:
        """Say why and close; a request that is being answered already is only cut off."""
        self._problem = problem
        self._stop_timer()
        if self.transport.is_closing():
            return
        if not self._is_idle:
            if self.cycle.response_started or self.pipeline:
                self.transport.abort()
                return
            self.cycle.disconnected = True  # whoever reads its body learns that there will be no more of it
            self.cycle.waiting_for_100_continue = False
            self.cycle.message_event.set()
            if self._answering is not None:
                self._answering.client_left()
        reply = reply_to(problem)
        url: bytes = getattr(self, "url", b"")
        body = anthropic_error(reply, request_id="") if url.startswith(b"/v1/messages") else openai_error(reply)
        content = orjson.dumps(body)
        self.transport.write(
            f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(content)}\r\nconnection: close\r\n\r\n".encode()
            + content
        )
        self._close_when_read()

    def _close_when_read(self) -> None:
        """Closing with unread bytes would reset the connection, and the client might never see the answer."""
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(min(1.0, self._limits.linger_s), self.transport.close)

    def _await_request(self) -> None:
        """Nobody is answered any more. A timer for each time would cost what a header costs."""
        self._idle_since_s = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._look_after)

    def _look_after(self) -> None:
        """Let go of a client that has asked for nothing in so long; else look again when it might have."""
        idle_s = 0.0 if self._idle_since_s is None else self.loop.time() - self._idle_since_s
        if idle_s < self.timeout_keep_alive:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive - idle_s, self._look_after)
        elif not self.transport.is_closing():
            self.transport.close()

    def _await_head(self) -> None:
        self._timer = self.loop.call_later(self._limits.head_timeout_s, self._head_is_late)

    def _head_is_late(self) -> None:
        self._timer = None
        if self._in_message:
            self._refuse(SlowRequestError(what="headers", after_s=self._limits.head_timeout_s))
        elif not self.transport.is_closing():
            self.transport.close()  # it never said anything: there is nothing to answer

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
