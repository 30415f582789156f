"""The fault matrix's rows below HTTP, on every door, streaming and not; and what a client's leaving and deadlines do.

Refused, an unknown name, a connection that is never accepted, a connection that ends before or amid an answer.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from catalog import Limits
from gateway.upstreams import http1
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from tests.gateway.routes.test_embeddings import serve_by_name
from tests.gateway.running import CHAT, HI, RunningGateway, backend, pair, running
from tests.waiting import until

pytestmark = pytest.mark.loopback

DOORS: dict[str, dict[str, Any]] = {
    CHAT: {"messages": HI},
    "/v1/messages": {"max_tokens": 9, "messages": HI},
    "/v1/responses": {"input": "hi"},
}
doors = pytest.mark.parametrize("door", list(DOORS))
streaming = pytest.mark.parametrize("stream", [False, True])


@contextmanager
def refused() -> Iterator[str]:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, so that nobody else takes it, but not listening
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


@contextmanager
def unknown_name() -> Iterator[str]:
    yield "http://no-such-host.invalid/v1"


@contextmanager
def never_accepted() -> Iterator[str]:
    """A listener whose queue is full: the kernel drops whoever comes."""
    with socket.socket() as full, patch.object(http1, "_CONNECT_TIMEOUT_S", 0.4):
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        for one in waiting:
            one.close()


@contextmanager
def untrusted() -> Iterator[str]:
    """A server whose certificate nobody vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with NamedTemporaryFile() as file:
        file.write(_self_signed())
        file.flush()
        context.load_cert_chain(file.name)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_shake_hands, args=(listening, context), daemon=True).start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}/v1"


@contextmanager
def without_tls() -> Iterator[str]:
    """A server of http:// that is asked by https://."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_say_no, args=(listening,), daemon=True).start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}/v1"


def _say_no(listening: socket.socket) -> None:
    while True:
        try:
            one, _ = listening.accept()
        except OSError:
            return  # closed: the test is over
        with one, suppress(OSError):
            one.recv(1024)
            one.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")


def _shake_hands(listening: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            one, _ = listening.accept()
        except OSError:
            return  # closed: the test is over
        with one, suppress(OSError), context.wrap_socket(one, server_side=True) as talking:
            talking.recv(1)


def _self_signed() -> bytes:
    """A key and a certificate, as PEM."""
    x509, hashes, serialization, ec = (
        pytest.importorskip(f"cryptography.{name}", reason="cryptography makes certificates; it is not installed")
        for name in (
            "x509",
            "hazmat.primitives.hashes",
            "hazmat.primitives.serialization",
            "hazmat.primitives.asymmetric.ec",
        )
    )
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nobody")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1)).sign(
        key, hashes.SHA256()
    )
    pem = serialization.Encoding.PEM
    return made.public_bytes(pem) + key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


Broken = Callable[[], AbstractContextManager[str]]
UNREACHABLE: dict[str, tuple[Broken, str]] = {
    "refused": (refused, "unreachable"),
    "an unknown name": (unknown_name, "unreachable"),
    "never accepted": (never_accepted, "timeout"),
    "an untrusted certificate": (untrusted, "unusable"),
    "no TLS": (without_tls, "unusable"),
}


@asynccontextmanager
async def with_broken(tmp_path: Path, url: str) -> AsyncIterator[tuple[RunningGateway, FakeProvider]]:
    async with (
        FakeProvider(words=("cheap",)) as cheap,
        running(backend("strong", url, limits=Limits()), backend("cheap", cheap.url), tmp_path=tmp_path) as gateway,
    ):
        yield gateway, cheap


@doors
@streaming
@pytest.mark.parametrize("how", list(UNREACHABLE))
async def test_who_cannot_be_reached_is_replaced_and_the_client_never_notices(
    tmp_path: Path, door: str, stream: bool, how: str
) -> None:
    broken, reason = UNREACHABLE[how]
    with broken() as url:
        async with with_broken(tmp_path, url) as (gateway, cheap):
            body = {"model": "auto:best", "stream": stream, **DOORS[door]}
            answer = await gateway.client.post(door, json=body)
            refusing = {**body, "routing": {"allow_fallbacks": False}}
            alone = await gateway.client.post(door, json=refusing) if how == "refused" else None
    assert (answer.status_code, "cheap" in answer.text, len(cheap.requests)) == (200, True, 1)
    assert answer.headers["x-paretogate-fallback-from"] == "strong"
    assert gateway.journal.of("outcome")[0]["attempts"] == [{"backend": "strong", "error": reason}]
    if alone is not None:
        assert alone.status_code == 502


@doors
@streaming
async def test_fallbacks_may_be_refused_on_every_door(tmp_path: Path, door: str, stream: bool) -> None:
    async with pair(tmp_path) as (gateway, strong, cheap):
        strong.always_misbehave("strong-raw", Misbehaviour(fault="status", status=401))
        body = {"model": "auto:best", "stream": stream, "routing": {"allow_fallbacks": False}, **DOORS[door]}
        answer = await gateway.client.post(door, json=body)
    assert (answer.status_code, cheap.requests) == (502, [])


@doors
@streaming
async def test_a_client_that_leaves_ends_the_backends_work_at_once(tmp_path: Path, door: str, stream: bool) -> None:
    async with FakeProvider() as provider, running(backend("cheap", provider.url), tmp_path=tmp_path) as gateway:
        provider.misbehave(Misbehaviour(fault="slow_first_token", delay_s=600.0))
        body = {"model": "auto", "stream": stream, **DOORS[door]}
        leaving = asyncio.create_task(gateway.client.post(door, json=body))
        await provider.wait_until_asked()
        leaving.cancel()
        await until(lambda: provider.cancelled and gateway.journal.of("outcome"))  # well before the answer would come
    assert gateway.journal.of("outcome")[0]["status"] == "cancelled"


@doors
@streaming
async def test_all_attempts_together_take_no_longer_than_the_request_may(
    tmp_path: Path, door: str, stream: bool
) -> None:
    slow, limits = Misbehaviour(fault="slow_first_token", delay_s=600.0), {"server": {"request_timeout_s": 1.5}}
    async with (
        FakeProvider() as strong,
        FakeProvider() as cheap,
        running(
            backend("strong", strong.url),
            backend("cheap", cheap.url),
            tmp_path=tmp_path,
            settings=limits,
        ) as gateway,
    ):
        for provider in (strong, cheap):
            provider.misbehave(slow, times=9)
        answer = await gateway.client.post(door, json={"model": "auto", "stream": stream, **DOORS[door]})
    assert answer.status_code == 504
    assert len(strong.requests) + len(cheap.requests) == 1  # no time was left for another


async def test_embeddings_of_a_backend_that_is_away_are_a_502(tmp_path: Path) -> None:
    with refused() as url:
        one = replace(backend("strong", url), id="embed", profile_id="maker/embed", model_name="embed-raw")
        async with running(one, tmp_path=tmp_path, make_serving=serve_by_name) as gateway:
            answer: httpx.Response = await gateway.client.post("/v1/embeddings", json={"input": "hi"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_failed")
