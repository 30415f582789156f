"""Every provider that does not speak OpenAI's dialect, through litellm, which translates.

litellm takes seconds to import and some 6 ms of CPU per call: it is imported at the first call to such a backend, in
a thread, and never otherwise.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from importlib import import_module
from typing import Any

import orjson

from catalog import Backend
from gateway.errors import (
    GatewayError,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamStatusError,
    UpstreamUnreachableError,
)

from .openai import retry_after_s
from .protocol import UpstreamCall

__all__ = ["LiteLLMMissingError", "LiteLLMUpstream"]


class LiteLLMMissingError(GatewayError):
    """A backend needs litellm, which is not installed."""

    def __init__(self) -> None:
        super().__init__("a backend of kind litellm needs the extra: pip install 'paretogate[litellm]'")


class LiteLLMUpstream:
    """Calls backends of kind `litellm`; the model goes by litellm's name, `provider/name`."""

    def __init__(self, *, api_keys: Mapping[str, str]) -> None:
        """`api_keys` maps a backend's id to its key; without one, litellm looks where the provider usually keeps it."""
        self._api_keys = dict(api_keys)
        self._importing = asyncio.Lock()
        self._library: Any = None

    async def complete(self, call: UpstreamCall) -> bytes:
        """See `Upstream.complete`."""
        answer = await self._call(call, stream=False, within_s=call.deadline_s)
        return str(answer.model_dump_json(exclude_none=True)).encode()

    async def stream(self, call: UpstreamCall) -> AsyncGenerator[bytes, None]:
        """See `Upstream.stream`."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        deadline, phase = start + call.first_byte_s, "first byte"
        chunks = await self._call(call, stream=True, within_s=call.first_byte_s)
        iterator = aiter(chunks)
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    chunk = await anext(iterator)
            except StopAsyncIteration:
                break
            except TimeoutError as exc:
                raise call.timed_out(phase, after_s=loop.time() - start) from exc
            except Exception as exc:
                raise self._translated(exc, call, phase=phase, within_s=deadline - start) from exc
            yield b"data: " + str(chunk.model_dump_json(exclude_none=True)).encode() + b"\n\n"
            deadline, phase = min(loop.time() + call.next_byte_s, start + call.deadline_s), "next byte"
        yield b"data: [DONE]\n\n"

    async def close(self) -> None:
        """Nothing is held: litellm keeps its own clients for the life of the process."""

    async def _call(self, call: UpstreamCall, *, stream: bool, within_s: float) -> Any:  # noqa: ANN401 - litellm ships no usable types
        library = await self._litellm()
        backend, phase = call.backend, "first byte" if stream else "answer"
        wanted = orjson.loads(call.body)
        wanted.update(model=_model(backend), stream=stream, num_retries=0, max_retries=0, timeout=within_s)
        if key := self._api_keys.get(backend.id):
            wanted["api_key"] = key
        if backend.base_url:
            wanted["api_base"] = backend.base_url
        if backend.headers or call.headers:
            wanted["extra_headers"] = {**call.headers, **backend.headers}
        try:
            async with asyncio.timeout(within_s):
                return await library.acompletion(**wanted)
        except TimeoutError as exc:
            raise call.timed_out(phase, after_s=within_s) from exc
        except Exception as exc:
            raise self._translated(exc, call, phase=phase, within_s=within_s) from exc

    async def _litellm(self) -> Any:  # noqa: ANN401 - as above
        async with self._importing:
            if self._library is None:
                self._library = await asyncio.to_thread(_import_litellm)
        return self._library

    def _translated(self, exc: Exception, call: UpstreamCall, *, phase: str, within_s: float) -> UpstreamError:
        """Every provider's failure is one of OpenAI's exceptions here; their names are litellm's contract."""
        names = {kind.__name__ for kind in type(exc).__mro__}
        backend, status = call.backend, getattr(exc, "status_code", None)
        if "Timeout" in names or "APITimeoutError" in names:
            return call.timed_out(phase, after_s=within_s)  # the time that it was given
        if "APIConnectionError" in names:
            return UpstreamUnreachableError("cannot be reached", backend_id=backend.id)
        if isinstance(status, int):
            headers = getattr(exc, "litellm_response_headers", None) or {}  # `response` is a stand-in without any
            message = getattr(exc, "message", None)
            return UpstreamStatusError(
                backend_id=backend.id,
                status=status,
                retry_after_s=retry_after_s(headers.get("retry-after")),
                detail={"message": message} if isinstance(message, str) else None,
            )
        return UpstreamProtocolError(f"failed inside litellm ({type(exc).__name__})", backend_id=backend.id)


def _model(backend: Backend) -> str:
    prefix = f"{backend.provider}/"
    return backend.model_name if backend.model_name.startswith(prefix) else prefix + backend.model_name


def _import_litellm() -> Any:  # noqa: ANN401 - as above
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # read at import: no download of prices
    try:
        library: Any = import_module("litellm")
    except ImportError as exc:
        raise LiteLLMMissingError from exc
    library.suppress_debug_info = True
    library.telemetry = False
    return library
