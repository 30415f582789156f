"""One decision: who should answer, who next, and all it rests on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catalog import Floats, Pool, PoolEntry
from predictors import Forecast

__all__ = ["Bools", "Column", "Decision", "Screening"]

Bools = npt.NDArray[np.bool_]
Column = Sequence[object] | Floats  # one fact per candidate; None or NaN where it is unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """Which candidate breaks which constraint."""

    constraints: tuple[str, ...]  # only those in force
    violated: Bools  # (n_constraints, n_candidates)
    limits: tuple[object, ...] = ()  # per constraint, what was demanded
    values: tuple[Column, ...] = ()  # per constraint, what each candidate has

    @property
    def eligible(self) -> Bools:
        """Candidates that break none, shape (n_candidates,)."""
        eligible: Bools = np.logical_not(self.violated.any(axis=0))
        return eligible


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Positions refer to the pool. `ranking` starts with the chosen one; the rest is the fallback order."""

    pool: Pool
    forecast: Forecast
    screening: Screening
    front: tuple[int, ...]
    utility: Floats  # (n_candidates,), higher is better under the policy; NaN for the ineligible
    ranking: tuple[int, ...]
    propensity: float  # the exact probability with which this choice was made
    explored: bool
    policy: str
    reason: str  # short code: "pareto", "explored", "session", "only_candidate", "cheapest_relaxed", ...
    relaxed: str | None = None  # the constraints that gave way under on_infeasible
    value: Floats | None = None  # (n_candidates,), the utility of the ineligible too: what a constraint keeps away

    @property
    def chosen(self) -> PoolEntry:
        """The candidate that should answer."""
        return self.pool.entries[self.ranking[0]]
