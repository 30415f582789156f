"""Anthropic itself, and whoever speaks its Messages, over the same pool of connections as all others.

A call to `/messages` is in Anthropic's dialect already: its bytes pass both ways. A chat is translated both ways.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Final

import orjson

from catalog import Backend
from gateway.errors import UpstreamStatusError, UpstreamUnsupportedError
from gateway.wire.anthropic.answer import completion_of, read_object_of
from gateway.wire.anthropic.chunks import ChunkWriter
from gateway.wire.anthropic.request import UntranslatableError, messages_request

from .credentials import ANTHROPIC_VERSION
from .http1 import Response
from .openai import OpenAIUpstream
from .protocol import UpstreamCall
from .proxies import Proxy

__all__ = ["AnthropicUpstream"]

_PATH: Final = "/messages"
_UNPAID: Final = ("credit balance", "billing")  # said with a 400, which else is about the request
_PAYMENT_REQUIRED: Final = 402


class AnthropicUpstream:
    """Calls backends of kind `anthropic`."""

    def __init__(self, *, api_keys: Mapping[str, str], proxy: Proxy | None = None) -> None:
        """See `OpenAIUpstream`."""
        self._direct = _Messages(api_keys=api_keys, proxy=proxy)

    async def complete(self, call: UpstreamCall) -> bytes:
        """See `Upstream.complete`."""
        if call.path.startswith(_PATH):
            return await self._direct.complete(call)
        raw = await self._direct.complete(_translated(call))
        return orjson.dumps(completion_of(read_object_of(raw, backend_id=call.backend.id)))

    async def stream(self, call: UpstreamCall) -> AsyncGenerator[bytes, None]:
        """See `Upstream.stream`."""
        if call.path.startswith(_PATH):
            async with aclosing(self._direct.stream(call)) as parts:
                async for data in parts:
                    yield data
            return
        writer = ChunkWriter(backend_id=call.backend.id)
        async with aclosing(self._direct.stream(_translated(call))) as parts:
            async for data in parts:
                if chunks := writer.take(data):
                    yield chunks
                if writer.fault is not None:
                    raise writer.fault
        if chunks := writer.finish():
            yield chunks
        if writer.fault is not None:
            raise writer.fault

    async def close(self) -> None:
        """Close every connection."""
        await self._direct.close()


class _Messages(OpenAIUpstream):
    """The same HTTP with Anthropic's headers."""

    async def _ask(self, call: UpstreamCall, until: float) -> Response:
        configured = {name.lower() for name in call.backend.headers}
        if "anthropic-version" not in configured and "anthropic-version" not in call.headers:
            call = replace(call, headers={**call.headers, "anthropic-version": ANTHROPIC_VERSION})
        return await super()._ask(call, until)

    async def _refusal(self, response: Response, backend: Backend, until: float) -> UpstreamStatusError:
        refusal = await super()._refusal(response, backend, until)
        said = str(refusal.detail.get("message")).lower()
        if refusal.status == 400 and any(word in said for word in _UNPAID):
            return UpstreamStatusError(backend_id=backend.id, status=_PAYMENT_REQUIRED, detail=refusal.detail)
        return refusal


def _translated(call: UpstreamCall) -> UpstreamCall:
    """A chat, as Anthropic is asked.

    Raises:
        UpstreamUnsupportedError: there is no word for a part of it.
    """
    try:
        body = messages_request(orjson.loads(call.body))
    except UntranslatableError as exc:
        raise UpstreamUnsupportedError(backend_id=call.backend.id, parameters=[exc.parameter]) from exc
    return replace(call, body=orjson.dumps(body), path=_PATH)
