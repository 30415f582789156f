"""A request that has been decided about: what was read, what was decided, and what became of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from catalog import Backend, PoolEntry, Usage
from gateway.errors import UpstreamError
from gateway.serving import Serving
from gateway.standing import ANONYMOUS, Standing
from gateway.tracing import RequestTrace
from gateway.upstreams.passing_on import NOTHING
from gateway.wire.answer_ids import own_id
from gateway.wire.body import ChatRequest
from predictors import Query
from router import Decision, Reading, RoutingOptions

if TYPE_CHECKING:
    from gateway.tools.trail import ToolTrail

__all__ = ["Call", "Clocks", "backend_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """Time, handed in: `wall` since the epoch for records, `monotonic` for durations; both in seconds."""

    wall: Callable[[], float]
    monotonic: Callable[[], float]


@dataclass(slots=True, kw_only=True)
class Call:
    """A request that has been decided about, and what became of it."""

    decision_id: str
    request: ChatRequest
    reading: Reading
    query: Query
    decision: Decision
    serving: Serving
    started_s: float  # monotonic, when the request came in
    deadline_s: float  # monotonic, when the client has waited long enough
    silence_s: float | None = None  # how long it waits for a stream's first byte, and for the next; None says nothing
    entry: PoolEntry | None = None  # who answered
    failures: list[UpstreamError] = field(default_factory=list)
    waited_s: float = 0.0  # spent waiting for backends: not our overhead
    asked_s: float = 0.0  # monotonic, when the last attempt began
    ttft_s: float | None = None
    cost_usd: float | None = None
    usage: Usage | None = None
    model_returned: str | None = None  # the name in which the backend answered
    standing: Standing = ANONYMOUS
    carried: Mapping[str, str] = field(default_factory=lambda: NOTHING)  # client's headers that some backend may get
    tools: "ToolTrail | None" = None  # what was done about the request's tools
    trace: RequestTrace | None = None  # None where nobody listens
    stored_as: str | None = None  # the answer's id where it is stored here, in place of its backend's
    answer_id: str | None = None  # the answer's id where the client gets another than its backend's

    @property
    def options(self) -> RoutingOptions:
        """What the caller wished."""
        return self.reading.options

    @property
    def answered_by(self) -> PoolEntry:
        """Who answered; only once somebody did."""
        if self.entry is None:
            raise AssertionError("nobody has answered yet")
        return self.entry

    @property
    def position(self) -> int:
        """Where in the pool the one is who answered, else who was chosen: the forecasts of the call are theirs."""
        entries, ranking = self.decision.pool.entries, self.decision.ranking
        if self.entry is None or entries[ranking[0]] is self.entry:  # as nearly always
            return ranking[0]
        return next((position for position in ranking if entries[position] is self.entry), ranking[0])

    @property
    def attempts(self) -> int:
        """Backends asked so far, the one that answered included."""
        return len(self.failures) + (self.entry is not None)

    def asked_at(self, path: str) -> None:
        """Whoever is asked now is asked there, which settles what the client will know the answer by."""
        prefix = self.request.id_prefix(path)
        self.answer_id = self.stored_as or (None if prefix is None else own_id(prefix, self.decision_id))

    def left_s(self, now_s: float) -> float:
        """How long the client still waits for an answer to begin, or, where it wants the whole at once, to end."""
        left_s = self.deadline_s - now_s
        if self.silence_s is None or not self.request.stream:
            return left_s
        return min(left_s, self.started_s + self.silence_s - now_s)


def backend_of(entry: PoolEntry | None) -> Backend:
    """The backend of a candidate that is asked; only such candidates are."""
    if entry is None or entry.backend is None:
        raise AssertionError("only candidates with a backend are asked")
    return entry.backend
