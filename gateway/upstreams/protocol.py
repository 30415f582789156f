"""What the gateway needs of a backend: bytes in, bytes out, and failures in our own words."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from catalog import Backend

__all__ = ["Upstream", "UpstreamCall"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCall:
    """One request to one backend."""

    backend: Backend
    body: bytes  # a chat completion request, in OpenAI's dialect
    deadline_s: float  # for the whole call
    path: str = "/chat/completions"  # below the backend's base URL
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # passed on from the client


class Upstream(Protocol):
    """A way to call backends. Cancelling a call closes its connection; nothing is retried in here."""

    async def complete(self, call: UpstreamCall) -> bytes:
        """The body of a successful answer.

        Raises:
            UpstreamUnreachableError, UpstreamTimeoutError, UpstreamStatusError, UpstreamProtocolError.
        """
        ...

    def stream(self, call: UpstreamCall) -> AsyncGenerator[bytes, None]:
        """The body of a successful streamed answer, as it arrives: Server-Sent Events in OpenAI's dialect.

        Raises:
            UpstreamUnreachableError, UpstreamTimeoutError, UpstreamStatusError, UpstreamProtocolError; also midway.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...
