"""The way out of a network that lets nothing else through: HTTPS_PROXY and NO_PROXY, as other programs know them.

They are for addresses that begin with https:// alone, through a tunnel in which the proxy reads nothing. Whatever is
asked by http:// is one's own, and asked directly. Source: RFC 9110, section 9.3.6 (CONNECT).
"""

import asyncio
import re
import socket
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import unquote, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined] # its stub lacks it

import structlog

__all__ = ["HTTP_DIRECTLY", "Proxy", "ProxyRefusedError"]

log = structlog.get_logger(__name__)

HTTP_DIRECTLY: Final[Mapping[str, None]] = {"http://": None}
"""The same for a client of httpx, as its `mounts`."""

_MOST_BYTES = 64 << 10


class ProxyRefusedError(ConnectionError):
    """The proxy does not open the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """Where it listens, what it is told to let us pass, and who is asked without it."""

    host: str
    port: int
    authorization: str | None = None
    without: str = ""  # names and their endings, with commas between

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self | None:
        """What the environment says; None where it names none, and, with a word, where it names one of another kind."""
        told = _either(environ, "https_proxy")
        if not told:
            return None
        try:
            parts = urlsplit(told if "://" in told else f"http://{told}")
            host, port = parts.hostname, parts.port or 80
        except ValueError:
            host, parts, port = None, urlsplit(""), 0
        if host is None or parts.scheme != "http":
            log.warning("proxy_not_used", variable="HTTPS_PROXY", reason="it has to begin with http:// and a host")
            return None
        secret = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        return cls(
            host=host,
            port=port,
            authorization=f"Basic {b64encode(secret.encode()).decode()}" if parts.username else None,
            without=_either(environ, "no_proxy"),
        )

    def serves(self, host: str, port: int) -> bool:
        """Whether this server is asked through it."""
        return not proxy_bypass_environment(f"{host}:{port}", {"no": self.without})

    async def open(self, to_proxy: socket.socket, host: str, port: int) -> None:
        """Have it connect us to a server: what is written to the socket from then on is that server's.

        Raises:
            ProxyRefusedError: it does not.
            OSError: the connection was lost.
        """
        loop = asyncio.get_running_loop()
        there = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        asked = f"CONNECT {there} HTTP/1.1\r\nhost: {there}\r\n"
        if self.authorization is not None:
            asked += f"proxy-authorization: {self.authorization}\r\n"
        await loop.sock_sendall(to_proxy, f"{asked}\r\n".encode())
        told = b""
        while not told.endswith(b"\r\n\r\n"):  # byte by byte at the end, lest a byte of the server's is taken
            data = await loop.sock_recv(to_proxy, 1)
            if not data or len(told) > _MOST_BYTES:
                raise ProxyRefusedError("it closed the connection")
            told += data
        answer = told.partition(b"\r\n")[0].decode("latin-1")
        if not re.match(r"HTTP/1\.\d 2\d\d\b", answer):
            raise ProxyRefusedError(f"it answers {answer[:80]!r}")


def _either(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name) or environ.get(name.upper()) or ""
