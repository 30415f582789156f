"""The way out by a proxy, as HTTPS_PROXY and NO_PROXY tell it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from gateway.errors import UpstreamUnusableError
from gateway.upstreams.fake import FakeProvider
from gateway.upstreams.openai import OpenAIUpstream
from gateway.upstreams.proxies import Proxy

from .test_openai import ANSWER, call


@pytest.mark.parametrize(
    ("told", "host", "port", "authorization"),
    [
        ("http://proxy.corp:3128", "proxy.corp", 3128, None),
        ("http://proxy.corp", "proxy.corp", 80, None),
        ("proxy.corp:3128/", "proxy.corp", 3128, None),
        ("http://[::1]:3128", "::1", 3128, None),
        ("http://me:p%40ss@proxy.corp:3128", "proxy.corp", 3128, "Basic bWU6cEBzcw=="),  # me:p@ss
    ],
)
def test_a_proxy_is_read_from_the_environment(told: str, host: str, port: int, authorization: str | None) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        found = Proxy.of({name: told})
        assert found is not None
        assert (found.host, found.port, found.authorization) == (host, port, authorization)


@pytest.mark.parametrize(
    "told", ["socks5://proxy.corp:1080", "https://proxy.corp", "http://:3128", "http://x:port", ""]
)
def test_a_proxy_of_another_kind_is_not_used(told: str) -> None:
    assert Proxy.of({"HTTPS_PROXY": told}) is None


def test_some_are_asked_without_it() -> None:
    proxy = Proxy.of({"HTTPS_PROXY": "http://proxy.corp:3128", "NO_PROXY": "localhost, .corp,10.0.0.7,api.openai.com"})
    assert proxy is not None
    through = [
        proxy.serves(host, 443)
        for host in ("api.anthropic.com", "api.openai.com", "vllm.corp", "10.0.0.7", "localhost")
    ]
    assert through == [True, False, False, False, False]
    everybody = Proxy.of({"HTTPS_PROXY": "http://proxy.corp:3128", "NO_PROXY": "*"})
    assert everybody is not None
    assert not everybody.serves("api.openai.com", 443)


def certificate(folder: Path) -> Path:
    """A certificate and its key of a server called model.example, which vouches for itself."""
    x509, hashes, serialization, ec = (
        pytest.importorskip(f"cryptography.{name}", reason="cryptography makes certificates; it is not installed")
        for name in ("x509", *(f"hazmat.primitives.{n}" for n in ("hashes", "serialization", "asymmetric.ec")))
    )
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "model.example")])
    names = x509.SubjectAlternativeName([x509.DNSName("model.example"), x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    made = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "model.pem"
    path.write_bytes(made.public_bytes(pem) + private)
    return path


class Tunnel:
    """A proxy that leads everybody to one server, whatever its name."""

    def __init__(self, port: int, *, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self.there, self.answer, self.heads, self.port = port, answer, list[bytes](), 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answer)
        if b" 200 " in self.answer:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self.there)
            await asyncio.gather(_carry(reader, to_writer), _carry(to_reader, writer))
        writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
    writer.close()


@asynccontextmanager
async def tunnel_to(port: int, **how: bytes) -> AsyncIterator[tuple[Tunnel, Proxy]]:
    tunnel = Tunnel(port, **how)
    async with await asyncio.start_server(tunnel.serve, "127.0.0.1", 0) as listening:
        tunnel.port = listening.sockets[0].getsockname()[1]
        proxy = Proxy.of({"HTTPS_PROXY": f"http://me:secret@127.0.0.1:{tunnel.port}", "NO_PROXY": "127.0.0.1"})
        assert proxy is not None
        yield tunnel, proxy


@pytest.mark.loopback
async def test_a_server_behind_the_proxy_is_asked_by_tls_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                asked.append(await reader.readuntil(b"\r\n\r\n"))
                await reader.readexactly(int(asked[-1].partition(b"content-length: ")[2].split(b"\r\n")[0]))
                writer.write(ANSWER)

    pem = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server, tunnel_to(port) as (tunnel, proxy):
        upstream = OpenAIUpstream(api_keys={}, proxy=proxy)
        for _ in range(2):
            assert await upstream.complete(call("https://model.example/v1")) == b"{}"
        assert await upstream.complete(call(f"https://127.0.0.1:{port}/v1")) == b"{}"
        await upstream.close()
    (head,) = tunnel.heads
    there, who = b"model.example:443", b"Basic bWU6c2VjcmV0"
    assert head == b"CONNECT %b HTTP/1.1\r\nhost: %b\r\nproxy-authorization: %b\r\n\r\n" % (there, there, who)
    assert len(asked) == 3
    assert b"proxy-authorization" not in b"".join(asked)


@pytest.mark.loopback
async def test_a_server_without_tls_is_asked_directly() -> None:
    async with FakeProvider() as provider, tunnel_to(provider.port) as (tunnel, _):
        proxy = Proxy.of({"HTTPS_PROXY": f"http://127.0.0.1:{tunnel.port}"})
        upstream = OpenAIUpstream(api_keys={}, proxy=proxy)
        assert b"choices" in await upstream.complete(call(provider.url))
        await upstream.close()
    assert tunnel.heads == []


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n", "it answers 'HTTP/1.1 407 Proxy"),
        (b"", "it closed the connection"),
        (b"SSH-2.0-x\r\n\r\n", "it answers 'SSH-2.0-x'"),
    ],
)
async def test_a_proxy_that_does_not_lead_there_is_named(answer: bytes, said: str) -> None:
    async with tunnel_to(9, answer=answer) as (_, proxy):
        upstream = OpenAIUpstream(api_keys={}, proxy=proxy)
        with pytest.raises(UpstreamUnusableError, match=f"the proxy of HTTPS_PROXY does not lead there: {said}"):
            await upstream.complete(call("https://model.example/v1"))
        await upstream.close()
