"""What the path of a request tells of itself to whoever traces it. Switched off, calls carry None instead."""

from collections.abc import Mapping
from typing import Protocol

from catalog import Backend, Usage
from gateway.errors import UpstreamError
from gateway.serving import Serving
from gateway.standing import Standing
from gateway.wire.body import ChatRequest
from router import Decision, RoutingOptions

__all__ = ["RequestTrace", "Traced", "Tracing"]


class Traced(Protocol):
    """As much of a call as its trace tells; `gateway.dispatch.Call` has more, its trace among it."""

    decision_id: str
    request: ChatRequest
    decision: Decision
    serving: Serving
    standing: Standing
    failures: list[UpstreamError]
    ttft_s: float | None
    cost_usd: float | None

    @property
    def options(self) -> RoutingOptions:
        """What the caller wished."""
        ...

    @property
    def attempts(self) -> int:
        """Backends asked so far."""
        ...


class RequestTrace(Protocol):
    """What one request leaves behind. Attempts follow one another: at most one is open at a time."""

    def decided(self, call: Traced, *, duration_s: float) -> None:
        """A model was chosen, in the seconds up to now."""
        ...

    def attempt_began(self, call: Traced, backend: Backend, model_id: str) -> None:
        """A backend is asked."""
        ...

    def propagated(self) -> Mapping[str, str]:
        """The headers that make the backend's own spans part of this trace."""
        ...

    def attempt_failed(self, failure: UpstreamError) -> None:
        """The backend did not begin to answer."""
        ...

    def concluded(
        self,
        call: Traced,
        *,
        status: str,
        usage: Usage | None,
        response_id: str | None,
        model_returned: str | None,
        finish_reason: str | None,
    ) -> None:
        """The call is over, one way or another; `status` is what the journal says."""
        ...

    def ended(self, outcome: str, *, duration_s: float, overhead_s: float) -> None:
        """The client has its answer: `outcome` is ok, cancelled, interrupted or the error's code."""
        ...


class Tracing(Protocol):
    """Makes traces. One per process."""

    def begin(self, door: str, headers: Mapping[str, str]) -> RequestTrace:
        """A request has come in, with these headers, named in lower case."""
        ...

    def close(self) -> None:
        """Send what is left; blocks for some seconds at most."""
        ...
