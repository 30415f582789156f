"""An HTTP/1.1 client for the hot path: one request at a time on pooled connections, parsed by httptools.

It does what calling a model needs and no more: no redirects, cookies or retries. Against aiohttp it saves
three quarters of what a call costs (`tests/benchmarks/bench_transport.py`). Both ends set TCP_NODELAY, which asyncio
does for every TCP socket: without it small chunks of a stream wait some 40 ms for the peer's delayed acknowledgement.
"""

import asyncio
import socket
import ssl
from base64 import b64encode
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import aiohappyeyeballs
from yarl import URL

from .http1_connection import BrokenHttpError, Connection, LostConnectionError
from .proxies import Proxy

__all__ = [
    "BrokenHttpError",
    "ConnectTimeoutError",
    "Http1Client",
    "LostConnectionError",
    "Response",
    "Target",
    "header_lines",
]

_CONNECT_TIMEOUT_S = 10.0
_KEEP_ALIVE_S = 30.0
_CLOSED_WITHIN_S = 1.0  # a request that takes longer was perhaps read, and is not sent twice
_SECOND_ADDRESS_AFTER_S = 0.25  # RFC 8305, section 5


class ConnectTimeoutError(TimeoutError):
    """The server could not be reached in time, of which the request had more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where requests go, and how they begin: everything before the body but its length."""

    host: str
    port: int
    is_secure: bool
    head: bytes

    @classmethod
    def of(cls, url: str, headers: Mapping[str, str]) -> Self:
        """POST to this address; these headers, with names in lower case, go before those that follow from it.

        Raises:
            OSError: it is no address of a server.
            BrokenHttpError: a header holds a line break.
        """
        parts = URL(url)
        if parts.raw_host is None or parts.port is None or parts.scheme not in {"http", "https"}:
            raise OSError(f"{url} is no address of a server; it begins with http:// or https://")
        implied = {"host": parts.host_port_subcomponent or ""}
        if parts.user is not None:
            implied["authorization"] = "Basic " + b64encode(f"{parts.user}:{parts.password or ''}".encode()).decode()
        head = f"POST {parts.raw_path_qs} HTTP/1.1\r\n".encode() + header_lines({**implied, **headers})
        return cls(host=parts.raw_host, port=parts.port, is_secure=parts.scheme == "https", head=head)


def header_lines(headers: Mapping[str, str]) -> bytes:
    """Headers as they are sent.

    Raises:
        BrokenHttpError: one holds a line break.
    """
    for name, value in headers.items():
        if "\n" in name + value or "\r" in name + value:
            raise BrokenHttpError(f"a header {name!r} with a line break, which is to be taken out of the settings")
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()]).encode()


class Response:
    """An answer whose head has come. Read it to its end or close it; times are those of the event loop's clock.

    Every wait may raise `TimeoutError`, `OSError` (the connection was lost) or `BrokenHttpError`.
    """

    def __init__(self, connection: Connection, idle: deque[Connection]) -> None:
        self.status, self.headers = connection.answer.status, connection.answer.headers
        self._connection: Connection | None = connection
        self._idle = idle

    async def read(self, *, until: float, limit_bytes: int) -> bytes | None:
        """The whole body; None where it is larger than the limit."""
        parts, size = [], 0
        while part := await self.some(until=until):
            parts.append(part)
            size += len(part)
            if size > limit_bytes:
                return None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def some(self, *, until: float) -> bytes:
        """What has come of the body since the last time, waiting for it where that is nothing; empty at the end."""
        connection = self._connection
        if connection is None:
            return b""
        while not (data := connection.take()):
            if connection.answer.is_complete:
                self.close()
                return b""
            await connection.wait(until)
        return data

    def close(self) -> None:
        """Keep the connection for the next request where that is possible."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if connection.is_reusable:
            connection.idle()
            self._idle.append(connection)
        else:
            connection.abort()


class Http1Client:
    """Connections to any number of servers; made inside a running event loop, closed once."""

    def __init__(self, *, proxy: Proxy | None = None) -> None:
        """`proxy` is asked to connect us to servers that speak TLS."""
        self._proxy = proxy
        self._idle: dict[tuple[str, int, bool], deque[Connection]] = {}
        self._tls: ssl.SSLContext | None = None
        self._loop = asyncio.get_running_loop()
        self._sweeper = self._loop.call_later(_KEEP_ALIVE_S, self._sweep)

    @property
    def n_idle(self) -> int:
        """How many connections wait to be used again."""
        return sum(len(kept) for kept in self._idle.values())

    async def post(self, target: Target, more_headers: bytes, body: bytes, *, until: float) -> Response:
        """Send a request and wait for the head of its answer.

        A server may close a connection that was idle just as it is used again; then the request goes out on another.

        Raises:
            TimeoutError, OSError, BrokenHttpError: as for `Response`.
        """
        idle = self._idle.setdefault((target.host, target.port, target.is_secure), deque())
        while True:
            kept = self._kept(idle)
            connection = kept or await self._connect(target, until)
            connection.send(b"%b%bcontent-length: %d\r\n\r\n%b" % (target.head, more_headers, len(body), body))
            sent_s = self._loop.time()
            try:
                while not connection.answer.has_head:
                    await connection.wait(until)
                break
            except BaseException as exc:
                connection.abort()
                if kept is None or not _was_closed_meanwhile(kept, exc, after_s=self._loop.time() - sent_s):
                    raise
        return Response(connection, idle)

    async def close(self) -> None:
        """Close what is idle; whoever still reads an answer closes that."""
        self._sweeper.cancel()
        for kept in self._idle.values():
            while kept:
                kept.pop().abort()

    def _kept(self, idle: deque[Connection]) -> Connection | None:
        """The one that was used last, if its server has not closed it since."""
        while idle:
            connection = idle.pop()
            if connection.is_reusable and self._loop.time() - connection.idle_since < _KEEP_ALIVE_S:
                return connection
            connection.abort()
        return None

    async def _connect(self, target: Target, until: float) -> Connection:
        limit = self._loop.time() + _CONNECT_TIMEOUT_S
        try:
            async with asyncio.timeout_at(min(until, limit)):
                return await self._connected(target)
        except TimeoutError as exc:
            if limit < until:
                raise ConnectTimeoutError(f"{target.host} did not take the connection") from exc
            raise

    async def _connected(self, target: Target) -> Connection:
        proxy = self._proxy if self._proxy is not None and target.is_secure else None
        if proxy is not None and not proxy.serves(target.host, target.port):
            proxy = None
        host, port = (target.host, target.port) if proxy is None else (proxy.host, proxy.port)
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        chosen = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=_SECOND_ADDRESS_AFTER_S)
        try:
            if proxy is not None:
                await proxy.open(chosen, target.host, target.port)
            _, connection = await self._loop.create_connection(
                Connection,
                sock=chosen,
                ssl=self._context() if target.is_secure else None,
                server_hostname=target.host if target.is_secure else None,
            )
        except BaseException:
            chosen.close()
            raise
        return connection

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    def _sweep(self) -> None:
        """Close what has been idle for too long."""
        for kept in self._idle.values():
            while kept and self._loop.time() - kept[0].idle_since > _KEEP_ALIVE_S:
                kept.popleft().abort()
        self._sweeper = self._loop.call_later(_KEEP_ALIVE_S, self._sweep)


def _was_closed_meanwhile(connection: Connection, failure: BaseException, *, after_s: float) -> bool:
    """Whether a connection that had been idle was lost at once, without a byte in answer."""
    is_lost = isinstance(failure, LostConnectionError) and not connection.answer.head_bytes
    return is_lost and after_s < _CLOSED_WITHIN_S
