"""What no client library sends: each is answered with a 4xx in the client's own shape, and nobody else notices."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from gateway.server.connection import ConnectionLimits
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from gateway.wire import asgi
from tests.gateway.abuse.raw import Reply, post, say
from tests.gateway.running import CHAT, HI, RunningGateway, backend, running
from tests.waiting import until

pytestmark = [pytest.mark.loopback, pytest.mark.asyncio(loop_scope="module")]

DOORS = {
    CHAT: {"messages": HI},
    "/v1/messages": {"max_tokens": 9, "messages": HI},
    "/v1/responses": {"input": "hi"},
    "/v1/completions": {"prompt": "hi"},
    "/v1/embeddings": {"input": "hi"},
    "/v1/messages/count_tokens": {"messages": HI},
    f"/routing{CHAT}": {"messages": HI},
    "/v1/feedback": {"decision_id": "d", "value": 1},
}
doors = pytest.mark.parametrize("door", list(DOORS))
_MB = 1 << 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    """One for all of them: it has to stand every one."""
    folder = tmp_path_factory.mktemp("abuse")
    async with FakeProvider() as provider, running(backend("cheap", provider.url), tmp_path=folder) as one:
        yield one
        assert (await one.chat()).status_code == 200  # and it still answers


def is_told(reply: Reply, door: str, *, status: int) -> str:
    """The message of an error in the client's own shape."""
    assert reply.status == status, reply
    told = reply.json
    assert "Traceback" not in reply.body.decode()
    if door.startswith("/v1/messages"):
        assert told["type"] == "error"
        return str(told["error"]["type"])
    return str(told["error"]["code"])


def deep(levels: int) -> bytes:
    return b'{"metadata":' + b"[" * levels + b"]" * levels + b"}"


BODIES = {
    "invalid UTF-8": b'{"messages": [{"role": "user", "content": "\xff\xfe"}]}',
    "an overlong encoding": b'{"messages": [{"role": "user", "content": "\xc0\x80"}]}',
    "a lone surrogate, escaped": rb'{"messages": [{"role": "user", "content": "\ud800"}], "input": "\udfff"}',
    "a lone surrogate, encoded": b'{"messages": [{"role": "user", "content": "\xed\xa0\x80"}]}',
    "a NUL, escaped": rb'{"messages": [{"role": "user", "content": "\u0000"}]}',
    "a NUL in a name": rb'{"mess\u0000ages": 1}',
    "a NUL, bare": b'{"messages": "\x00"}',
    "101 levels": deep(101),
    "100,000 levels": deep(100_000),
    "a million brackets": b"[" * 1_000_000,
    "nothing": b"",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "NaN": b'{"messages": [], "temperature": NaN, "value": NaN, "decision_id": "d"}',
    "an integer of 5,000 digits": b'{"messages": [], "max_tokens": ' + b"9" * 5_000 + b"}",
    "an infinity": b'{"messages": [], "temperature": 1e999, "value": -Infinity, "decision_id": "d"}',
    "no JSON": b"messages=hi",
    "half of it": b'{"messages": [{"role": "user"',
}


@doors
@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in BODIES.items()])
async def test_a_body_that_is_no_sane_json_is_a_400(gateway: RunningGateway, door: str, body: bytes) -> None:
    reply = await say(gateway.url, post(door, body))
    assert is_told(reply, door, status=400) in {"invalid_json", "invalid_request", "invalid_request_error"}


NUMBERS = {
    "a huge integer": ("max_tokens", 10**40),
    "more than any computer counts": ("max_tokens", 2**63),
    "none at all": ("max_tokens", 0),
    "less than none": ("max_tokens", -1),
    "a fraction": ("max_tokens", 1.5),
    "a huge seed": ("seed", -(2**60)),
    "a negative temperature": ("temperature", -0.1),
    "an impossible share": ("top_p", 1.5),
    "a truth": ("temperature", True),
    "a negative number of answers": ("n", -2),
}


@pytest.mark.parametrize("named", [pytest.param(pair, id=name) for name, pair in NUMBERS.items()])
async def test_an_impossible_number_is_a_400_that_names_its_field(
    gateway: RunningGateway, named: tuple[str, object]
) -> None:
    field, value = named
    reply = await say(gateway.url, post(CHAT, json.dumps({"messages": HI, field: value}).encode()))
    assert is_told(reply, CHAT, status=400) == "invalid_request"
    assert reply.json["error"]["param"] == field


@doors
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_hundred_megabytes_are_a_413(gateway: RunningGateway, door: str, chunked: bool) -> None:
    def parts() -> list[bytes]:
        head = f"POST {door} HTTP/1.1\r\nhost: x\r\n".encode()
        if chunked:
            piece = b"%x\r\n" % _MB + b" " * _MB + b"\r\n"
            return [head, b"transfer-encoding: chunked\r\n\r\n", *([piece] * 100), b"0\r\n\r\n"]
        return [head, b"content-length: %d\r\n\r\n" % (100 * _MB), *([b" " * _MB] * 100)]

    reply = await say(gateway.url, parts())
    assert is_told(reply, door, status=413) == "request_too_large"


@doors
async def test_ten_thousand_headers_are_a_431(gateway: RunningGateway, door: str) -> None:
    headers = [b"x-%d: y" % number for number in range(10_000)]
    reply = await say(gateway.url, post(door, b"{}", *headers))
    assert is_told(reply, door, status=431) in {"headers_too_large", "request_too_large"}


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"x-long: " + b"y" * 200_000, id="one long value"),
        pytest.param(b"x" * 200_000 + b": y", id="one long name"),
        pytest.param(b"x-endless: " + b"y" * 40_000_000, id="a value that never ends"),
    ],
)
async def test_a_long_header_is_a_431(gateway: RunningGateway, head: bytes) -> None:
    reply = await say(gateway.url, post(CHAT, b"{}", head))
    assert is_told(reply, CHAT, status=431) == "headers_too_large"


async def test_a_long_address_is_refused(gateway: RunningGateway) -> None:
    reply = await say(gateway.url, post("/v1/" + "x" * 200_000, b"{}"))
    assert reply.status == 431


NO_HTTP = {
    "a NUL in a header": post(CHAT, b"{}", b"x-odd: a\x00b"),
    "a NUL in the address": b"GET /v1/\x00models HTTP/1.1\r\nhost: x\r\n\r\n",
    "a bare line": b"hello\r\n\r\n",
    "TLS": bytes.fromhex("16030100c8010000c40303") + b"\x00" * 200,
    "two lengths": b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "a length and chunks": b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
    "a negative length": b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -2\r\n\r\n",
    "a length beyond counting": b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: " + b"9" * 5_000 + b"\r\n\r\n",
    "a chunk beyond counting": f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    + b"f" * 40
    + b"\r\n",
    "a chunk of no length": f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".encode(),
    "another protocol": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a header without a name": b"GET / HTTP/1.1\r\n: x\r\n\r\n",
    "no host": b"GET /health HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /health HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
}


@pytest.mark.parametrize("sent", [pytest.param(sent, id=name) for name, sent in NO_HTTP.items()])
async def test_what_is_no_http_is_a_400_in_json(gateway: RunningGateway, sent: bytes) -> None:
    reply = await say(gateway.url, sent)
    assert is_told(reply, "/", status=400) == "malformed_http"


async def test_before_http_1_1_a_host_could_be_left_out(gateway: RunningGateway) -> None:
    assert (await say(gateway.url, b"GET /health HTTP/1.0\r\n\r\n")).status == 200


async def test_a_stream_before_http_1_1_has_no_chunks_and_ends_with_its_connection(gateway: RunningGateway) -> None:
    """Nobody had thought of chunks then: such a client would take their lengths for words."""
    asked = json.dumps({"model": "auto", "messages": HI, "stream": True}).encode()
    head = b"POST /v1/chat/completions HTTP/1.0\r\nconnection: keep-alive\r\ncontent-length: %d\r\n\r\n" % len(asked)
    reply = await say(gateway.url, head + asked)
    assert b"transfer-encoding" not in reply.head
    assert b"connection: close" in reply.head
    assert reply.body.startswith(b"data: ")
    assert reply.body.endswith(b"data: [DONE]\n\n")


H2C = (b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c", b"http2-settings: AAEAAEAAAAIAAAAB")


@pytest.mark.parametrize("size", [10_000, 100, 7])
async def test_an_offer_of_another_protocol_is_passed_over_and_the_request_read(
    gateway: RunningGateway, size: int
) -> None:
    """Java's own HTTP client makes it with every request, and its body was lost."""
    asked = post("/v1/chat/completions", json.dumps({"model": "auto", "messages": HI}).encode(), *H2C)
    reply = await say(gateway.url, [asked[at : at + size] for at in range(0, len(asked), size)], pause_s=0.001)
    assert reply.status == 200, reply.body
    assert b"upgrade" not in reply.head.lower()


async def test_a_connection_goes_on_after_an_offer_of_another_protocol(gateway: RunningGateway) -> None:
    chunked = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n" + b"\r\n".join(H2C)
    body = json.dumps({"model": "auto", "messages": HI}).encode()
    first = chunked + b"\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    second = post("/v1/nowhere", body, *H2C, b"connection: close")
    where = urlsplit(gateway.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(first + second)
    told = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert re.findall(rb"HTTP/1.1 (\d+)", told) == [b"200", b"404"]


@pytest.mark.parametrize("path", ["/v1/%00", "/v1/%ff%fe", "/v1/models/%ed%a0%80", "/v1/../../etc/passwd", "//v1//"])
async def test_an_odd_address_is_not_found(gateway: RunningGateway, path: str) -> None:
    reply = await say(gateway.url, f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    assert is_told(reply, path, status=404) in {"not_found", "unknown_model"}


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"])
async def test_another_method_is_refused(gateway: RunningGateway, method: str) -> None:
    reply = await say(
        gateway.url, f"{method} /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode()
    )
    assert reply.status in {405, 0 if method == "HEAD" else 405}


async def test_a_client_that_dribbles_its_headers_is_told_so(tmp_path: Path) -> None:
    quick = ConnectionLimits(head_timeout_s=0.3)
    async with (
        FakeProvider() as provider,
        running(backend("cheap", provider.url), tmp_path=tmp_path, limits=quick) as gateway,
    ):
        slow = [f"POST {CHAT} HTTP/1.1\r\n".encode(), *[b"x-%d: y\r\n" % number for number in range(200)]]
        reply = await say(gateway.url, slow, pause_s=0.05, within_s=12)  # without this limit it would be 15 s
        assert is_told(reply, CHAT, status=408) == "request_timeout"
        assert (await say(gateway.url, [b"", b""], pause_s=2.0, within_s=12)).status == 0  # said nothing: hung up on
        assert (await say(gateway.url, [b"\r\n"] * 300, pause_s=0.05, within_s=12)).status == 0


async def test_a_slow_second_request_on_a_connection_is_no_better(tmp_path: Path) -> None:
    quick = ConnectionLimits(head_timeout_s=0.3)
    async with (
        FakeProvider() as provider,
        running(backend("cheap", provider.url), tmp_path=tmp_path, limits=quick) as gateway,
    ):
        whole = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"
        port = int(gateway.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(whole)
        assert b"200 OK" in await reader.readuntil(b"}")
        writer.write(b"GET /health HT")
        async with asyncio.timeout(12):  # without this limit it would be 15 s
            told = await reader.read()
        writer.close()
        assert b"408" in told


async def test_a_long_answer_is_not_taken_for_a_slow_request(tmp_path: Path) -> None:
    quick, go_on = ConnectionLimits(head_timeout_s=0.5), asyncio.Event()
    async with (
        FakeProvider() as provider,
        running(backend("cheap", provider.url), tmp_path=tmp_path, limits=quick) as gateway,
    ):
        provider.misbehave(Misbehaviour(fault="slow_first_token", until=go_on))
        body = json.dumps({"messages": HI}).encode()
        answering = asyncio.create_task(say(gateway.url, post(CHAT, body)))
        await provider.wait_until_asked()
        await asyncio.sleep(2 * quick.head_timeout_s)
        go_on.set()
        assert (await answering).status == 200


@doors
async def test_a_client_that_dribbles_its_body_is_told_so(
    gateway: RunningGateway, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asgi, "_BODY_TIMEOUT_S", 0.3)
    head = f"POST {door} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n".encode()
    dribble = [head, *[b" "] * 200]
    reply = await say(gateway.url, dribble, pause_s=0.05, within_s=25)  # without this limit it would be 30 s
    assert is_told(reply, door, status=408) in {"request_timeout", "invalid_request_error"}


async def test_whoever_does_not_read_an_answer_is_let_go(tmp_path: Path) -> None:
    impatient = ConnectionLimits(write_timeout_s=0.3)
    async with (
        FakeProvider(words=("x" * 100_000,) * 400) as provider,
        running(backend("cheap", provider.url), tmp_path=tmp_path, limits=impatient) as gateway,
    ):
        port = int(gateway.url.rpartition(":")[2])
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.transport.pause_reading()
        writer.write(post(CHAT, json.dumps({"messages": HI, "stream": True}).encode()))
        async with asyncio.timeout(60):  # without this limit it would be 120 s
            await until(lambda: gateway.journal.of("outcome"))
        writer.close()
    assert gateway.journal.of("outcome")[0]["status"] == "cancelled"


@pytest.mark.parametrize("given", [b"\xe9", b"a b", b"<b>", b"x" * 129, b'"', b"a,b"])
async def test_an_odd_request_id_is_not_repeated(gateway: RunningGateway, given: bytes) -> None:
    """What is sent back is plain ASCII, which every log, proxy and client reads alike."""
    asked = json.dumps({"model": "auto", "messages": HI}).encode()
    reply = await say(gateway.url, post(CHAT, asked, b"x-request-id: " + given))
    assert reply.status == 200
    assert re.search(rb"\r\nx-request-id: req_[0-9a-f]+\r\n", reply.head)
