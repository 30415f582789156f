"""What the path of a request tells of itself to whoever traces it. Switched off, calls carry None instead."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from catalog import Backend, Usage
from gateway.errors import UpstreamError

if TYPE_CHECKING:
    from gateway.dispatch.call import Call  # which carries a trace

__all__ = ["RequestTrace", "Tracing"]


class RequestTrace(Protocol):
    """What one request leaves behind. Attempts follow one another: at most one is open at a time."""

    def decided(self, call: "Call", *, duration_s: float) -> None:
        """A model was chosen, in the seconds up to now."""
        ...

    def attempt_began(self, call: "Call", backend: Backend, model_id: str) -> None:
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
        call: "Call",
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
