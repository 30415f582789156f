"""One published result of one model, with everything needed to decide whether it may be used."""

from dataclasses import dataclass

from .provenance import Provenance

__all__ = ["BenchmarkFact"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkFact:
    """A score as its source prints it.

    Scales differ (0 to 1, percent, ratings), so values are comparable only within one benchmark, metric and source.
    """

    model: str  # as the source writes it
    benchmark: str
    metric: str
    value: float
    provenance: Provenance
    setting: str | None = None  # effort, thinking budget, native or prompted calls, number of shots
    n: int | None = None  # questions or votes
    license: str | None = None  # of the figure, None where the source states none
    url: str | None = None
