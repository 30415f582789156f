"""Asks the model servers that tell it how busy they are, in the background, so that forecasts know of others' requests.

Every server has its own rhythm: a jittered interval, a short timeout, and longer pauses while it does not answer. A
reading is handed to `Health`, which forgets it when it gets old; a server that cannot be read is judged as before, by
our own requests alone.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import aiohttp
import structlog

from catalog import Backend, BackendKind

from .server_load import ServerLoad, read_server_load

__all__ = ["LoadListener", "LoadScraper", "ScrapedServer", "scraped_servers"]

log = structlog.get_logger(__name__)

_TELL_THEIR_LOAD: Final[tuple[BackendKind, ...]] = ("vllm", "llama_cpp", "embedded")
_MOST_BYTES: Final = 4 << 20
_LONGEST_PAUSE: Final = 16.0  # times the interval, while a server does not answer
_JITTER: Final = 0.2  # of the interval, either way: replicas that started together drift apart


class LoadListener(Protocol):
    """Who wants to know."""

    def heard(self, backends: tuple[Backend, ...], load: ServerLoad) -> None:
        """A server of these backends said how busy it is."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapedServer:
    """One server and the backends it serves: a base model and its adapters share one queue."""

    url: str  # of its metrics
    backends: tuple[Backend, ...]


def scraped_servers(backends: Iterable[Backend]) -> tuple[ScrapedServer, ...]:
    """The servers among these that tell their load, each once."""
    by_url: dict[str, list[Backend]] = {}
    for backend in backends:
        if backend.kind in _TELL_THEIR_LOAD and backend.base_url:
            root = backend.base_url.rstrip("/").removesuffix("/v1")
            by_url.setdefault(f"{root}/metrics", []).append(backend)
    return tuple(ScrapedServer(url=url, backends=tuple(served)) for url, served in by_url.items())


class LoadScraper:
    """Runs until it is cancelled; nothing that a server does makes it stop."""

    def __init__(
        self,
        servers: Iterable[ScrapedServer],
        listener: LoadListener,
        *,
        api_keys: Mapping[str, str],
        jitter: Callable[[], float],
        every_s: float = 1.0,
        timeout_s: float = 0.5,
    ) -> None:
        """`api_keys` maps a backend's id to its key; `jitter` draws from [0, 1)."""
        self._servers, self._listener, self._api_keys = tuple(servers), listener, api_keys
        self._jitter, self._every_s, self._timeout_s = jitter, every_s, timeout_s

    async def run(self) -> None:
        """Ask every server, again and again."""
        if not self._servers:
            return
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        async with (
            aiohttp.ClientSession(
                timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            ) as session,
            asyncio.TaskGroup() as group,
        ):
            for server in self._servers:
                group.create_task(self._follow(session, server))

    async def ask(self, session: aiohttp.ClientSession, server: ScrapedServer) -> ServerLoad | None:
        """One reading; None where there was none to be had."""
        try:
            async with session.get(server.url, headers=self._headers(server), allow_redirects=False) as response:
                if response.status != 200:
                    return None
                body = await response.content.read(_MOST_BYTES)
                while not response.content.at_eof() and len(body) < _MOST_BYTES:
                    body += await response.content.read(_MOST_BYTES - len(body))
            return read_server_load(body.decode("utf-8", "replace"))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None

    async def _follow(self, session: aiohttp.ClientSession, server: ScrapedServer) -> None:
        pause_s, was_readable = self._every_s, True
        await asyncio.sleep(self._every_s * self._jitter())  # not all at once
        while True:
            load = await self.ask(session, server)
            if load is not None:
                self._listener.heard(server.backends, load)
                pause_s = self._every_s
            else:
                pause_s = min(2 * pause_s, _LONGEST_PAUSE * self._every_s)
            if (load is not None) != was_readable:
                was_readable = load is not None
                log.info("server_load_readable" if was_readable else "server_load_unreadable", url=server.url)
            await asyncio.sleep(pause_s * (1 - _JITTER + 2 * _JITTER * self._jitter()))

    def _headers(self, server: ScrapedServer) -> dict[str, str]:
        headers = {"accept-encoding": "identity"}  # nobody knows what is packed before it is unpacked
        headers |= {name: value for backend in server.backends for name, value in backend.headers.items()}
        key = next((self._api_keys[b.id] for b in server.backends if b.id in self._api_keys), None)
        return {"authorization": f"Bearer {key}", **headers} if key else headers
