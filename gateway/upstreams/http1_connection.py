"""One connection to a server that speaks HTTP/1.1, with at most one request on it."""

import asyncio
import zlib
from copy import copy
from dataclasses import dataclass, field
from typing import cast

import httptools

__all__ = ["BrokenHttpError", "Connection", "LostConnectionError"]

_MAX_HEAD_BYTES = 256 << 10
_HIGH_WATER_BYTES = 64 << 10  # unread bytes at which the server is made to wait: a slow reader holds some of these
_TICK_S = 0.001  # an alarm may ring so much too early
_GZIP_OR_ZLIB = 47  # zlib's word for: whichever of the two it is
_ZIPPED = frozenset({b"gzip", b"x-gzip", b"deflate"})
_FRAMES = frozenset({b"content-length", b"transfer-encoding"})


class BrokenHttpError(Exception):
    """What came is no HTTP/1.1, or too much of it."""


class LostConnectionError(ConnectionError):
    """The server closed or reset the connection before its answer was whole."""


@dataclass(slots=True)
class _Answer:
    """What has come in answer to one request."""

    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)  # names in lower case
    head_bytes: int = 0
    has_begun: bool = False
    has_head: bool = False
    is_complete: bool = False
    is_kept_alive: bool = False  # the connection, after it
    ends_with_connection: bool = False
    parts: list[bytes] = field(default_factory=list)  # of the body, not taken yet
    unread_bytes: int = 0
    inflator: "zlib._Decompress | None" = None  # the type checker's name for what `decompressobj` returns


class Connection(asyncio.Protocol):
    """Made by an event loop. What fails is raised by `wait`, after everything that came before has been taken."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self.answer = _Answer(has_begun=True, is_complete=True)  # to nothing: nothing is asked yet
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._until = 0.0  # of the loop's clock: how long the one who waits does
        self._alarm: asyncio.TimerHandle | None = None
        self._failure: Exception | None = None
        self._is_paused = False

    @property
    def is_reusable(self) -> bool:
        """Another request may follow."""
        transport, answer = self._transport, self.answer
        return (
            answer.is_complete
            and answer.is_kept_alive
            and self._failure is None
            and transport is not None
            and not transport.is_closing()
            and transport.get_write_buffer_size() == 0
        )

    def send(self, request: bytes) -> None:
        """Begin."""
        self.answer = _Answer()
        if self._transport is not None:
            self._transport.write(request)

    async def wait(self, until: float) -> None:
        """Wait for anything to happen, up to a time of the event loop's clock.

        Raises:
            TimeoutError, LostConnectionError, BrokenHttpError.
        """
        if self._failure is None:
            self._waiter, self._until = self._loop.create_future(), until
            if self._alarm is None or self._alarm.when() > until:
                self._set_alarm()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._raise_failure()

    def take(self) -> bytes:
        """What has come of the body."""
        answer = self.answer
        if not answer.parts:
            return b""
        data = answer.parts[0] if len(answer.parts) == 1 else b"".join(answer.parts)
        answer.parts, answer.unread_bytes = [], 0
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()
        return data

    def idle(self) -> None:
        """Nothing is asked from now on, for a while."""
        self.idle_since = self._loop.time()

    def abort(self) -> None:
        """Let go of it, whatever state it is in."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        answer = self.answer
        if not answer.has_head:
            answer.head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, zlib.error) as exc:
            self._fail(BrokenHttpError(type(exc).__name__))
        if not answer.has_head and answer.head_bytes > _MAX_HEAD_BYTES:
            self._fail(BrokenHttpError(f"a head of more than {_MAX_HEAD_BYTES} bytes"))
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`; where nothing says how long a body is, its end is that of the connection."""
        answer = self.answer
        if answer.has_head and answer.ends_with_connection and exc is None:
            answer.is_complete = True
        elif not answer.is_complete:
            self._fail(LostConnectionError(str(exc or "closed")))
        answer.is_kept_alive = False
        self._wake()
        self._stop_alarm()

    def on_message_begin(self) -> None:
        """An answer begins: to nothing that was asked, where there is one already."""
        if self.answer.has_begun:
            self._fail(BrokenHttpError("an answer to nothing"))
        self.answer.has_begun = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; of repeated ones, the last counts."""
        self.answer.headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """The head has come."""
        answer = self.answer
        answer.status = self._parser.get_status_code()
        if answer.status < 200:
            return
        encoding = answer.headers.get(b"content-encoding", b"identity").lower()
        if encoding in _ZIPPED:
            answer.inflator = zlib.decompressobj(_GZIP_OR_ZLIB)
        elif encoding != b"identity":
            self._fail(BrokenHttpError(f"an answer compressed by {encoding.decode('latin-1')}"))
            return
        answer.ends_with_connection = not answer.headers.keys() & _FRAMES
        answer.has_head = True

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        answer = self.answer
        if not answer.has_head:
            return  # it has failed
        if answer.inflator is not None:
            data = answer.inflator.decompress(data)
        answer.parts.append(data)
        answer.unread_bytes += len(data)
        if answer.unread_bytes > _HIGH_WATER_BYTES and not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The end of an answer, or of the word that one will come (RFC 9110, section 15.2)."""
        answer = self.answer
        if answer.status < 200:
            answer.headers, answer.has_begun = {}, False
        elif answer.has_head:
            answer.is_complete, answer.is_kept_alive = True, self._parser.should_keep_alive()

    def _set_alarm(self) -> None:
        self._stop_alarm()
        self._alarm = self._loop.call_at(self._until, self._ring)

    def _stop_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _ring(self) -> None:
        """Whoever waits now has waited long enough, or began after the alarm was set: a timer a wait would be dear."""
        self._alarm = None
        if self._waiter is None:
            return
        if self._until - self._loop.time() < _TICK_S:
            self._fail(TimeoutError())
        else:
            self._set_alarm()

    def _fail(self, failure: Exception) -> None:
        if self._failure is None:
            self._failure = failure
        self._wake()

    def _raise_failure(self) -> None:
        answer = self.answer
        if self._failure is not None and not answer.parts and not answer.is_complete:
            raise copy(self._failure)  # what is raised holds its frames, and these hold us: we hold none of it

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
