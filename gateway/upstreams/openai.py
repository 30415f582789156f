"""Every backend that speaks OpenAI's dialect, over one pool of connections.

aiohttp rather than httpx: on this path it costs a fifth of the CPU (0.2 against 1.0 ms per call; `tests/benchmarks`
holds the comparison). Both ends set TCP_NODELAY, which asyncio does for every TCP socket: without it small chunks of
a stream wait some 40 ms for the peer's delayed acknowledgement.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
import orjson

from catalog import Backend
from gateway.errors import (
    UpstreamError,
    UpstreamProtocolError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)

from .protocol import UpstreamCall

__all__ = ["OpenAIUpstream"]

_CONNECT_TIMEOUT_S = 10.0
_MAX_ANSWER_BYTES = 64 << 20
_MAX_ERROR_BYTES = 64 << 10
_KEEP_ALIVE_S = 30.0
_LONGEST_WAIT_S = 3_600.0


class OpenAIUpstream:
    """One pooled session for all backends of this dialect; made inside a running event loop, closed once."""

    def __init__(self, *, api_keys: Mapping[str, str], max_connections: int = 1024) -> None:
        """`api_keys` maps a backend's id to its key."""
        self._headers: dict[str, dict[str, str]] = {}
        self._api_keys = dict(api_keys)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=max_connections, limit_per_host=0, keepalive_timeout=_KEEP_ALIVE_S, ttl_dns_cache=60
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=True,
            raise_for_status=False,
        )

    async def complete(self, call: UpstreamCall) -> bytes:
        """See `Upstream.complete`."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        try:
            async with asyncio.timeout(call.deadline_s):
                response = await self._ask(call)
                async with response:
                    await _expect(response, "json", call.backend)
                    return await _read(response, call.backend)
        except (TimeoutError, OSError, aiohttp.ClientError) as exc:
            raise _translated(exc, call, phase="answer", after_s=loop.time() - start) from exc

    async def stream(self, call: UpstreamCall) -> AsyncGenerator[bytes, None]:
        """See `Upstream.stream`."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        deadline, phase = start + call.first_byte_s, "first byte"
        silence_s = call.next_byte_s
        response: aiohttp.ClientResponse | None = None
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._ask(call)
                await _expect(response, "event-stream", call.backend)
            while True:
                async with asyncio.timeout_at(deadline):
                    data = await response.content.readany()
                if not data:
                    return
                yield data
                deadline, phase = min(loop.time() + silence_s, start + call.deadline_s), "next byte"
        except (TimeoutError, OSError, aiohttp.ClientError) as exc:
            raise _translated(exc, call, phase=phase, after_s=loop.time() - start) from exc
        finally:
            if response is not None:
                response.close()  # at its end, the connection is back in the pool already

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def _ask(self, call: UpstreamCall) -> aiohttp.ClientResponse:
        return await self._session.post(
            f"{call.backend.base_url}{call.path}",
            data=call.body,
            headers={**self._headers_of(call.backend), **call.headers}
            if call.headers
            else self._headers_of(call.backend),
            allow_redirects=False,
        )

    def _headers_of(self, backend: Backend) -> Mapping[str, str]:
        headers = self._headers.get(backend.id)
        if headers is None:
            headers = {"content-type": "application/json", "accept-encoding": "identity", **backend.headers}
            if key := self._api_keys.get(backend.id):
                headers.setdefault("authorization", f"Bearer {key}")
            self._headers[backend.id] = headers
        return headers


async def _read(response: aiohttp.ClientResponse, backend: Backend) -> bytes:
    announced = response.content_length
    if announced is not None and announced <= _MAX_ANSWER_BYTES:
        return await response.read()
    parts, size = [], 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > _MAX_ANSWER_BYTES:
            raise UpstreamProtocolError(f"sent more than {_MAX_ANSWER_BYTES} bytes", backend_id=backend.id)
        parts.append(part)
    return b"".join(parts)


async def _expect(response: aiohttp.ClientResponse, word: str, backend: Backend) -> None:
    """Success, and a body of the right kind."""
    if response.status != 200:
        async with response:
            raise await _refusal(response, backend)
    if word not in response.content_type:
        response.close()
        raise UpstreamProtocolError(f"answered with {response.content_type}, not {word}", backend_id=backend.id)


def _translated(exc: Exception, call: UpstreamCall, *, phase: str, after_s: float) -> UpstreamError:
    """Aiohttp's failures and the operating system's, in our words."""
    backend = call.backend
    if isinstance(exc, aiohttp.ServerTimeoutError):
        return UpstreamTimeoutError(backend_id=backend.id, phase="connection", after_s=round(after_s, 3))
    if isinstance(exc, TimeoutError):
        return call.timed_out(phase, after_s=after_s)
    if isinstance(exc, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError):
        return UpstreamUnreachableError("closed the connection too early", backend_id=backend.id)
    if isinstance(exc, aiohttp.ClientConnectionError | OSError):
        return UpstreamUnreachableError(f"cannot be reached ({_cause(exc)})", backend_id=backend.id)
    return UpstreamProtocolError(f"does not speak HTTP ({type(exc).__name__})", backend_id=backend.id)


async def _refusal(response: aiohttp.ClientResponse, backend: Backend) -> UpstreamStatusError:
    try:
        detail = orjson.loads(await response.content.read(_MAX_ERROR_BYTES))
    except (orjson.JSONDecodeError, aiohttp.ClientError):
        detail = None
    return UpstreamStatusError(
        backend_id=backend.id,
        status=response.status,
        retry_after_s=retry_after_s(response.headers.get("retry-after")),
        detail=_error_object(detail),
    )


def _error_object(detail: object) -> Mapping[str, object] | None:
    inner = detail.get("error") if isinstance(detail, dict) else None
    if isinstance(inner, dict):
        return inner
    return {"message": inner} if isinstance(inner, str) else None


def retry_after_s(header: str | None) -> float | None:
    """Seconds to wait, from a number or a date (RFC 9110, section 10.2.3), an hour at most."""
    if not header:
        return None
    try:
        wait_s = float(header)
    except ValueError:
        try:
            wait_s = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        except (TypeError, ValueError):
            return None
    return min(max(0.0, wait_s), _LONGEST_WAIT_S) if not math.isnan(wait_s) else None


def _cause(exc: BaseException) -> str:
    error = getattr(exc, "os_error", None) or exc
    return type(error).__name__
