"""What the gateway needs of a backend: bytes in, bytes out, and failures in our own words."""

import math
from collections.abc import AsyncGenerator, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Protocol

from catalog import Backend, record
from gateway.errors import UpstreamTimeoutError

__all__ = ["Upstream", "UpstreamCall"]


@record
class UpstreamCall:
    """One request to one backend."""

    backend: Backend
    body: bytes  # a chat completion request, in OpenAI's dialect
    deadline_s: float  # for the whole call
    silence_s: float | None = None  # how long the client waits for a stream's first byte, and for any further one
    waited_s: float = 0.0  # how long it had waited already when this call began
    path: str = "/chat/completions"  # below the backend's base URL
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # passed on from the client

    @property
    def first_byte_s(self) -> float:
        """How long a stream may take to begin."""
        patience_s = max(0.0, self.silence_s - self.waited_s) if self.silence_s is not None else math.inf
        return min(self.backend.limits.first_token_timeout_s, self.deadline_s, patience_s)

    @property
    def next_byte_s(self) -> float:
        """How long it may then be silent."""
        return min(self.backend.limits.stall_timeout_s, self.silence_s or math.inf)

    def timed_out(self, phase: str, *, after_s: float) -> UpstreamTimeoutError:
        """The failure of this call to get further than that, so many seconds after it began."""
        is_silence = phase == "next byte" and after_s < self.deadline_s
        return UpstreamTimeoutError(
            backend_id=self.backend.id,
            phase=phase,
            after_s=round(self.next_byte_s if is_silence else after_s, 3),
            was_hurried=self._was_hurried(phase, after_s),
        )

    def _was_hurried(self, phase: str, after_s: float) -> bool:
        """Whether the limit that ended it was the request's, and the backend's own would have let it go on."""
        limits = self.backend.limits
        match phase:
            case "first byte":
                return self.first_byte_s < limits.first_token_timeout_s
            case "next byte" if after_s < self.deadline_s:
                return self.next_byte_s < limits.stall_timeout_s
            case _:
                return self.deadline_s < limits.timeout_s


class Upstream(Protocol):
    """A way to call backends. Cancelling a call closes its connection; nothing is retried in here."""

    async def complete(self, call: UpstreamCall) -> bytes:
        """The body of a successful answer.

        Raises:
            UpstreamUnreachableError, UpstreamTimeoutError, UpstreamStatusError, UpstreamProtocolError,
            UpstreamUnusableError, UpstreamUnsupportedError.
        """
        ...

    def stream(self, call: UpstreamCall) -> AsyncGenerator[bytes, None]:
        """The body of a successful streamed answer, as it arrives: Server-Sent Events in OpenAI's dialect.

        Raises:
            UpstreamUnreachableError, UpstreamTimeoutError, UpstreamStatusError, UpstreamProtocolError, also midway;
            UpstreamUnusableError, UpstreamUnsupportedError.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...
