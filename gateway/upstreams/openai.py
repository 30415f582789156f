"""Every backend that speaks OpenAI's dialect, over one pool of connections."""

import asyncio
import errno
import math
import ssl
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import orjson

from catalog import Backend
from gateway.errors import (
    UpstreamError,
    UpstreamNotAskedError,
    UpstreamProtocolError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
    UpstreamUnusableError,
)

from .credentials import credentials
from .http1 import (
    BrokenHttpError,
    ConnectTimeoutError,
    Http1Client,
    LostConnectionError,
    Response,
    Target,
    header_lines,
)
from .protocol import UpstreamCall
from .proxies import Proxy, ProxyRefusedError
from .refusals import own_words, secrets_of, unquoting

__all__ = ["OpenAIUpstream"]

_MAX_ANSWER_BYTES = 64 << 20
_MAX_ERROR_BYTES = 64 << 10
_ERROR_BODY_S = 5.0  # what it says beside an error's status is worth no longer wait
_LONGEST_WAIT_S = 3_600.0
_ELSEWHERE = "elsewhere; base_url has to be the address itself, most often https:// in place of http://"
_OF_THIS_MACHINE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_EXACTLY = "retry-after-ms"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"})  # what OpenSSL says of an answer in plain HTTP


class OpenAIUpstream:
    """One client for all backends of this dialect; made inside a running event loop, closed once."""

    def __init__(self, *, api_keys: Mapping[str, str], proxy: Proxy | None = None) -> None:
        """`api_keys` maps a backend's id to its key, and may grow; `proxy` is the way to addresses of https://."""
        self._api_keys, self._client = api_keys, Http1Client(proxy=proxy)
        self._loop = asyncio.get_running_loop()
        self._targets: dict[tuple[str, str], tuple[Backend, Target]] = {}

    async def complete(self, call: UpstreamCall) -> bytes:
        """See `Upstream.complete`."""
        start = self._loop.time()
        until = start + call.deadline_s
        try:
            response = await self._ask(call, until)
            try:
                await self._expect(response, b"json", call.backend, until)
                return await _read(response, call.backend, until)
            finally:
                response.close()
        except (TimeoutError, OSError, BrokenHttpError) as exc:
            raise _translated(exc, call, phase="answer", after_s=self._loop.time() - start) from exc

    async def stream(self, call: UpstreamCall) -> AsyncGenerator[bytes, None]:
        """See `Upstream.stream`."""
        loop = self._loop
        start = loop.time()
        until, phase = start + call.first_byte_s, "first byte"
        silence_s, end = call.next_byte_s, start + call.deadline_s
        response: Response | None = None
        try:
            response = await self._ask(call, until)
            await self._expect(response, b"event-stream", call.backend, until)
            while data := await response.some(until=until):
                yield data
                until, phase = min(loop.time() + silence_s, end), "next byte"
        except (TimeoutError, OSError, BrokenHttpError) as exc:
            raise _translated(exc, call, phase=phase, after_s=loop.time() - start) from exc
        finally:
            if response is not None:
                response.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def _ask(self, call: UpstreamCall, until: float) -> Response:
        more = header_lines(call.headers) if call.headers else b""
        return await self._client.post(self._target(call.backend, call.path), more, call.body, until=until)

    async def _expect(self, response: Response, word: bytes, backend: Backend, until: float) -> None:
        """Success, and a body of the right kind."""
        if 300 <= response.status < 400:
            raise UpstreamUnusableError(backend_id=backend.id, cause=f"status {response.status} leads {_ELSEWHERE}")
        if response.status != 200:
            raise await self._refusal(response, backend, until)
        kind = response.headers.get(b"content-type", b"application/octet-stream")
        if word not in kind.lower():
            told = kind.partition(b";")[0].strip().lower().decode("latin-1")
            raise UpstreamProtocolError(f"answered with {told}, not {word.decode()}", backend_id=backend.id)

    async def _refusal(self, response: Response, backend: Backend, until: float) -> UpstreamStatusError:
        """What an answer with another status says."""
        secrets = secrets_of(backend, self._api_keys.get(backend.id))
        return await _refusal(response, backend, until, secrets=secrets)

    def _target(self, backend: Backend, path: str) -> Target:
        """Where and how this backend is asked; looked up anew when a reload has exchanged it."""
        known = self._targets.get((backend.id, path))
        if known is not None and known[0] is backend:
            return known[1]
        headers = {"content-type": "application/json", "accept": "*/*", "accept-encoding": "identity"}
        headers |= {"user-agent": "paretogate", **{name.lower(): value for name, value in backend.headers.items()}}
        if key := self._api_keys.get(backend.id):
            headers = {**credentials(backend.kind, key), **headers}  # a configured header goes before
        target = Target.of(backend.address(path), headers)
        self._targets[backend.id, path] = (backend, target)
        return target


async def _read(response: Response, backend: Backend, until: float) -> bytes:
    body = await response.read(until=until, limit_bytes=_MAX_ANSWER_BYTES)
    if body is None:
        raise UpstreamProtocolError(f"sent more than {_MAX_ANSWER_BYTES} bytes", backend_id=backend.id)
    return body.removeprefix(_BYTE_ORDER_MARK)


def _translated(exc: Exception, call: UpstreamCall, *, phase: str, after_s: float) -> UpstreamError:
    """The client's failures and the operating system's, in our words."""
    backend = call.backend
    if isinstance(exc, ConnectTimeoutError):
        return UpstreamTimeoutError(backend_id=backend.id, phase="connection", after_s=round(after_s, 3))
    if isinstance(exc, TimeoutError):
        return call.timed_out(phase, after_s=after_s)
    if isinstance(exc, LostConnectionError):
        return UpstreamUnreachableError("closed the connection too early", backend_id=backend.id)
    if isinstance(exc, ssl.SSLError | ProxyRefusedError) and (cause := _why_not(exc)) is not None:
        return UpstreamUnusableError(backend_id=backend.id, cause=cause)
    if isinstance(exc, OSError):
        return _no_connection(exc, backend)
    return UpstreamProtocolError(f"does not speak HTTP ({exc})", backend_id=backend.id)


def _no_connection(exc: OSError, backend: Backend) -> UpstreamError:
    if exc.errno in _OF_THIS_MACHINE:
        return UpstreamNotAskedError(f"was not asked: {exc.strerror} on this machine", backend_id=backend.id)
    return UpstreamUnreachableError(f"cannot be reached ({type(exc).__name__})", backend_id=backend.id)


def _why_not(exc: ssl.SSLError | ProxyRefusedError) -> str | None:
    """What is configured wrongly; None where asking again may help."""
    if isinstance(exc, ProxyRefusedError):
        return f"the proxy of HTTPS_PROXY does not lead there: {exc}"
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {exc.verify_message}; SSL_CERT_FILE may name its authority"
    return "no TLS is spoken there; base_url may have to begin with http://" if exc.reason in _NO_TLS else None


async def _refusal(
    response: Response, backend: Backend, until: float, *, secrets: Collection[str]
) -> UpstreamStatusError:
    soon = min(until, asyncio.get_running_loop().time() + _ERROR_BODY_S)
    try:
        detail = orjson.loads(await response.read(until=soon, limit_bytes=_MAX_ERROR_BYTES) or b"")
    except (orjson.JSONDecodeError, OSError, BrokenHttpError):
        detail = None
    asked = {name: response.headers.get(name.encode(), b"").decode("latin-1") for name in ("retry-after", _EXACTLY)}
    return UpstreamStatusError(
        backend_id=backend.id,
        status=response.status,
        retry_after_s=retry_after_s(asked["retry-after"], exactly_ms=asked[_EXACTLY]),
        detail=unquoting(own_words(detail), secrets),
    )


def retry_after_s(header: str | None, *, exactly_ms: str | None = None) -> float | None:
    """Seconds to wait, from a number or a date (RFC 9110, section 10.2.3), an hour at most.

    `exactly_ms` is OpenAI's and Azure's `retry-after-ms`, which says the same more finely.
    """
    if exactly_ms:
        with suppress(ValueError):
            header = str(float(exactly_ms) / 1e3)
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
