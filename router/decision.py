"""One decision: who should answer, who next, and all it rests on."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from catalog import Floats, Pool, PoolEntry, record
from predictors import Forecast

__all__ = ["Bools", "Check", "Column", "Decision", "Positions", "Screening"]

Bools = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.int64]  # in the pool
Column = Sequence[object] | Floats  # one fact per candidate; None or NaN where it is unknown


class Check(NamedTuple):
    """One constraint in force."""

    constraint: str
    limit: object  # what was demanded
    broken: Bools  # (n_candidates,)
    values: Column  # what each candidate has


@record
class Screening:
    """Which candidate breaks which constraint."""

    checks: tuple[Check, ...]
    eligible: Bools  # (n_candidates,), those that break none

    @property
    def constraints(self) -> tuple[str, ...]:
        """The names of those in force."""
        return tuple(check.constraint for check in self.checks)

    @property
    def violated(self) -> Bools:
        """Who breaks what, (n_constraints, n_candidates)."""
        broken = np.array([check.broken for check in self.checks], dtype=np.bool_)
        return broken.reshape(len(self.checks), len(self.eligible))

    @property
    def limits(self) -> tuple[object, ...]:
        """Per constraint, what was demanded."""
        return tuple(check.limit for check in self.checks)

    @property
    def values(self) -> tuple[Column, ...]:
        """Per constraint, what each candidate has."""
        return tuple(check.values for check in self.checks)


@record
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
    propensities: Floats | None = None  # (n_candidates,), of everybody; None where nobody else could have been chosen
    cautious_quality: Floats | None = None  # (n_candidates,), by which the policy admits and compares
    quality_within: float | None = None  # how far below the best one's it admits; None admits everybody
    objectives: tuple[str, ...] = ()  # what the front is of: quality, cost, then the other goals that weigh

    def broken_by(self, backend_id: str) -> tuple[str, ...]:
        """The constraints that a backend breaks: under `on_infeasible` a fallback may break others than the chosen."""
        at = self.pool.backend_ids.index(backend_id)
        return tuple(check.constraint for check in self.screening.checks if check.broken[at])

    @property
    def chosen(self) -> PoolEntry:
        """The candidate that should answer."""
        return self.pool.entries[self.ranking[0]]
