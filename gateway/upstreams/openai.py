"""Every backend that speaks OpenAI's dialect, over one pool of connections.

aiohttp rather than httpx: on this path it costs a fifth of the CPU (0.2 against 1.0 ms per call; `tests/benchmarks`
holds the comparison). Both ends set TCP_NODELAY, which asyncio does for every TCP socket: without it small chunks of
a stream wait some 40 ms for the peer's delayed acknowledgement.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
import orjson

from catalog import Backend
from gateway.errors import (
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
        async with self._answer(call, within_s=call.deadline_s) as response:
            _expect_type(response, "json", call.backend)
            return await _read(response, call.backend)

    async def stream(self, call: UpstreamCall) -> AsyncGenerator[bytes, None]:
        """See `Upstream.stream`."""
        limits = call.backend.limits
        loop = asyncio.get_running_loop()
        start = loop.time()
        ends = start + call.deadline_s
        first_by = start + min(limits.first_token_timeout_s, call.deadline_s)
        async with self._answer(call, within_s=None, until=first_by) as response:
            _expect_type(response, "event-stream", call.backend)
            deadline, phase = first_by, "first byte"
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        data = await response.content.readany()
                except TimeoutError as exc:
                    raise UpstreamTimeoutError(
                        backend_id=call.backend.id, phase=phase, after_s=round(loop.time() - start, 3)
                    ) from exc
                if not data:
                    return
                yield data
                deadline, phase = min(loop.time() + limits.stall_timeout_s, ends), "next byte"

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    @asynccontextmanager
    async def _answer(
        self, call: UpstreamCall, *, within_s: float | None, until: float | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response with status 200. With `within_s` the deadline holds for its body too, with `until` it does not."""
        backend = call.backend
        try:
            async with asyncio.timeout(within_s):
                async with asyncio.timeout_at(until):
                    response = await self._session.post(
                        f"{backend.base_url}{call.path}",
                        data=call.body,
                        headers={**self._headers_of(backend), **call.headers},
                        allow_redirects=False,
                    )
                async with response:
                    if response.status != 200:
                        raise await _refusal(response, backend)
                    yield response
        except TimeoutError as exc:
            waited = within_s if within_s is not None else backend.limits.first_token_timeout_s
            raise UpstreamTimeoutError(backend_id=backend.id, phase="answer", after_s=waited) from exc
        except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError) as exc:
            raise UpstreamUnreachableError("closed the connection too early", backend_id=backend.id) from exc
        except (aiohttp.ClientConnectionError, ConnectionError, ssl.SSLError) as exc:
            raise UpstreamUnreachableError(f"cannot be reached ({_cause(exc)})", backend_id=backend.id) from exc
        except aiohttp.ClientError as exc:
            raise UpstreamProtocolError(f"does not speak HTTP ({type(exc).__name__})", backend_id=backend.id) from exc

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


def _expect_type(response: aiohttp.ClientResponse, word: str, backend: Backend) -> None:
    if word not in response.content_type:
        raise UpstreamProtocolError(f"answered with {response.content_type}, not {word}", backend_id=backend.id)


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
    """Seconds to wait, from a number or a date (RFC 9110, section 10.2.3)."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _cause(exc: BaseException) -> str:
    error = getattr(exc, "os_error", None) or exc
    return type(error).__name__
