"""Our client against servers that say to the byte what the test says."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.upstreams.http1 import (
    BrokenHttpError,
    ConnectTimeoutError,
    Http1Client,
    LostConnectionError,
    Target,
    header_lines,
)
from tests.waiting import AT_MOST_S, until

pytestmark = pytest.mark.loopback

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Server:
    """Answers each request on a connection with the next of the given bytes; `None` closes the connection.

    A number is a pause in seconds, and then `OK`.
    """

    def __init__(self, *answers: bytes | float | None) -> None:
        self.answers, self.asked, self.connections = list(answers), list[bytes](), 0
        self.port = 0
        self.client = Http1Client()  # who asks it
        self._writer: asyncio.StreamWriter | None = None

    def hang_up(self) -> None:
        """Close the newest connection, whatever is under way on it."""
        if self._writer is not None:
            self._writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writer = writer
        while self.answers:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                break  # the client has gone
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            self.asked.append(head + await reader.readexactly(length))
            answer = self.answers.pop(0)
            if answer is None:
                break
            if isinstance(answer, float):
                await asyncio.sleep(answer)
                answer = OK
            writer.write(answer)
            await writer.drain()
        writer.close()


Ask = Callable[..., "asyncio.Task[bytes | None]"]


@asynccontextmanager
async def serving(*answers: bytes | float | None) -> AsyncIterator[tuple[Server, Ask]]:
    server = Server(*answers)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]

    def ask(body: bytes = b"{}", *, within_s: float = AT_MOST_S, limit: int = 1 << 20) -> "asyncio.Task[bytes | None]":
        return asyncio.create_task(asked(server.client, server.port, body, within_s, limit))

    try:
        yield server, ask
    finally:
        await server.client.close()
        listening.close()


async def asked(client: Http1Client, port: int, body: bytes, within_s: float, limit_bytes: int) -> bytes | None:
    target = Target.of(f"http://127.0.0.1:{port}/v1/x", {"content-type": "application/json"})
    ends_s = asyncio.get_running_loop().time() + within_s
    response = await client.post(target, b"", body, until=ends_s)
    try:
        return await response.read(until=ends_s, limit_bytes=limit_bytes)
    finally:
        response.close()


async def test_a_request_is_said_as_http_has_it() -> None:
    async with serving(OK) as (server, ask):
        assert await ask(b'{"a":1}') == b"ok"
    assert server.asked == [
        b"POST /v1/x HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n"
        b'{"a":1}' % server.port
    ]


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", b"abc"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(gzip.compress(b"z" * 999))
            + gzip.compress(b"z" * 999),
            b"z" * 999,
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-encoding: deflate\r\ncontent-length: %d\r\n\r\n" % len(zlib.compress(b"z"))
            + zlib.compress(b"z"),
            b"z",
        ),
    ],
    ids=["empty", "chunked", "after others", "without a reason", "gzip", "deflate"],
)
async def test_an_answer_is_read_however_it_is_framed_and_the_connection_is_used_again(
    answer: bytes, body: bytes
) -> None:
    async with serving(answer, OK) as (server, ask):
        assert await ask() == body
        assert await ask() == b"ok"
        assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
        OK + b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n",  # said to nobody
    ],
    ids=["close", "of HTTP/1.0", "after a second answer"],
)
async def test_a_connection_is_not_used_again_where_the_server_does_not_want_it(answer: bytes) -> None:
    async with serving(answer, OK) as (server, ask):
        assert await ask() == b"ok"
        await until(lambda: not server.client.n_idle)  # it has heard what the server wants, or said too much
        assert await ask() == b"ok"
        assert server.connections == 2


async def test_a_request_whose_connection_was_closed_just_then_goes_out_on_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Servers close what is idle, or count what they answer on one; a request on its way meanwhile was not read."""
    monkeypatch.setattr("gateway.upstreams.http1._CLOSED_WITHIN_S", AT_MOST_S)  # a busy machine hears of it late
    async with serving(OK, None, OK, None, OK) as (server, ask):
        assert [await ask() for _ in range(3)] == [b"ok"] * 3
    assert server.connections == 3
    assert len(server.asked) == 5


async def test_a_request_that_may_have_been_read_is_not_sent_twice() -> None:
    async with serving(None, OK) as (server, ask):  # on a new connection
        with pytest.raises(LostConnectionError):
            await ask()
        assert len(server.asked) == 1
    async with serving(OK, b"HTTP/1.1 2", None, OK) as (server, ask):  # which began to answer
        assert await ask() == b"ok"
        begun = ask()
        await until(lambda: len(server.asked) == 2)
        server.hang_up()
        with pytest.raises(LostConnectionError):
            await begun
        assert len(server.asked) == 2


async def test_a_server_that_ends_midway_through_its_work_is_not_asked_again_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.upstreams.http1._CLOSED_WITHIN_S", 0.05)
    async with serving(OK, 600.0, OK) as (server, ask):
        assert await ask() == b"ok"
        begun = ask()
        await until(lambda: len(server.asked) == 2)
        await asyncio.sleep(0.1)
        server.hang_up()
        with pytest.raises(LostConnectionError):
            await begun
        assert len(server.asked) == 2


async def test_a_body_without_a_length_ends_with_the_connection() -> None:
    async with serving(b"HTTP/1.1 200 OK\r\n\r\nall there is") as (_, ask):
        assert await ask() == b"all there is"


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf",
    ],
    ids=["nothing", "half a head", "half a body", "half a chunk"],
)
async def test_an_answer_that_breaks_off_is_no_answer(answer: bytes | None) -> None:
    async with serving(answer) as (_, ask):
        with pytest.raises(LostConnectionError):
            await ask()


@pytest.mark.parametrize(
    "answer",
    [
        b"220 smtp.example.org ready\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n" + b"x: %b\r\n" % (b"y" * 1000) * 300,
    ],
    ids=["mail", "two lengths", "bad chunk", "upgrade", "brotli", "not gzip", "endless head"],
)
async def test_what_is_no_http_is_told_apart(answer: bytes) -> None:
    async with serving(answer, OK) as (_, ask):
        with pytest.raises(BrokenHttpError):
            await ask()
        assert await ask() == b"ok"


async def test_a_body_larger_than_the_limit_is_not_read_on() -> None:
    async with serving(b"HTTP/1.1 200 OK\r\ncontent-length: 9000000\r\n\r\n" + b"x" * 9_000_000) as (_, ask):
        assert await ask(limit=1_000_000) is None


async def test_a_large_body_read_slowly_makes_the_server_wait_and_comes_whole() -> None:
    content = bytes(range(256)) * 40_000
    async with serving(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(content) + content) as (server, _):
        client = Http1Client()
        target = Target.of(f"http://127.0.0.1:{server.port}/", {})
        until = asyncio.get_running_loop().time() + AT_MOST_S
        response = await client.post(target, b"", b"{}", until=until)
        await asyncio.sleep(0.2)
        first = await response.some(until=until)
        assert len(first) < 3 << 20  # a megabyte, and what was under way
        assert first + (await response.read(until=until, limit_bytes=len(content)) or b"") == content
        assert client.n_idle == 1
        await client.close()


async def test_silence_ends_at_the_time_that_was_given() -> None:
    async with serving(b"HTTP/1.1 200 OK\r\n", OK) as (server, ask):
        with pytest.raises(TimeoutError):
            await ask(within_s=0.5)
        assert await ask() == b"ok"
        assert server.connections == 2


async def test_whoever_stops_waiting_closes_the_connection() -> None:
    async with serving(b"HTTP/1.1 200 OK\r\n", OK) as (server, ask):
        waiting = ask()
        await until(lambda: server.asked)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await ask() == b"ok"
        assert server.connections == 2


async def test_a_server_that_takes_no_connection_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object, **__: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr("aiohappyeyeballs.start_connection", never)
    monkeypatch.setattr("gateway.upstreams.http1._CONNECT_TIMEOUT_S", 0.05)
    client = Http1Client()
    for within_s, kind in ((5.0, ConnectTimeoutError), (0.01, TimeoutError)):
        until = asyncio.get_running_loop().time() + within_s
        with pytest.raises(TimeoutError) as caught:
            await client.post(Target.of("http://127.0.0.1:9/", {}), b"", b"", until=until)
        assert type(caught.value) is kind
    await client.close()


def test_an_address_says_where_and_as_whom() -> None:
    target = Target.of("https://me:pass%20word@example.org/v1/a%20b?x=1", {"accept": "*/*"})
    assert (target.host, target.port, target.is_secure) == ("example.org", 443, True)
    assert target.head == (
        b"POST /v1/a%20b?x=1 HTTP/1.1\r\nhost: example.org\r\n"
        b"authorization: Basic bWU6cGFzcyB3b3Jk\r\naccept: */*\r\n"  # base64 of "me:pass word"
    )
    assert Target.of("http://[::1]:8000/v1", {}).head == b"POST /v1 HTTP/1.1\r\nhost: [::1]:8000\r\n"
    assert Target.of("http://h/v1", {"host": "other"}).head == b"POST /v1 HTTP/1.1\r\nhost: other\r\n"


def test_what_is_no_address_is_told() -> None:
    with pytest.raises(OSError, match="begins with http"):
        Target.of("localhost/v1", {})


def test_a_header_cannot_smuggle_another() -> None:
    with pytest.raises(BrokenHttpError, match="line break"):
        header_lines({"x-a": "1\r\nx-b: 2"})


async def test_an_earlier_requests_deadline_does_not_end_a_later_one_on_its_connection() -> None:
    async with serving(OK, 1.2) as (server, ask):
        assert await ask(within_s=1.0) == b"ok"
        assert await ask() == b"ok"
    assert server.connections == 1


async def test_a_shorter_deadline_counts_on_a_connection_that_had_a_longer_one() -> None:
    async with serving(OK, 600.0) as (server, ask):
        assert await ask(within_s=60.0) == b"ok"
        began_s = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError):
            await ask(within_s=0.1)
        assert asyncio.get_running_loop().time() - began_s < 30.0
    assert server.connections == 1


async def test_a_reader_who_does_not_read_makes_the_server_wait() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (64 << 20))
        for _ in range(64 << 4):
            writer.write(bytes(64 << 10))
            await writer.drain()
            sent += 64 << 10
        writer.close()

    listening = await asyncio.start_server(flood, "127.0.0.1", 0)
    client, until = Http1Client(), asyncio.get_running_loop().time() + AT_MOST_S
    target = Target.of(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/", {})
    tracemalloc.start()
    try:
        response = await client.post(target, b"", b"", until=until)
        await asyncio.sleep(0.5)
        held, _ = tracemalloc.get_traced_memory()
        assert sent < 32 << 20  # what the kernel takes
        assert held < 1 << 20
        assert len(await response.read(until=until, limit_bytes=64 << 20) or b"") == 64 << 20  # and then goes on
    finally:
        tracemalloc.stop()
        response.close()
        await client.close()
        listening.close()
