"""What can be preferred besides quality: Tryage's costs C_j(m, x), each on a scale where 0 is best and 1 is dear.

A scale must not depend on who else is in the pool, or one absurdly dear model would make all others look alike, and
adding a candidate would turn round the preference between two others. So amounts are measured on fixed logarithmic
scales, `log(1 + amount / floor) / log(1 + ceiling / floor)`: a ratio counts the same everywhere (people and prices
think in factors), zero is a proper value (a local model is free), and below the floor differences stop to matter.
The scale goes on above 1, so that of two dear candidates the dearer is still the worse.

Tryage (Hari and Thomson, arXiv 2308.11601) names size, recency, security, verbosity and readability and, as far as it
could be read, gives no formula of theirs: all of these are reconstructed.
"""

import math
from collections.abc import Callable
from functools import cached_property

import numpy as np

from catalog import Floats, Pool
from predictors import Forecast, Forecasts

__all__ = ["GOALS", "Goals"]

GOALS = (
    "quality",
    "cost",
    "latency",
    "size",
    "recency",
    "security",
    "verbosity",
    "readability",
    "energy",
    "risk",
)

_YEAR_DAYS = 365.0
_SECURITY = {"local": 0.0, "no_retention": 0.5, "no_training": 0.75, "any": 1.0}


class Goals:
    """The costs of one pool; what depends on the pool alone is computed once."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._of_query: dict[str, Callable[[Forecast | Forecasts], Floats]] = {
            "cost": lambda f: _scale(f.cost_usd, 1e-5, 10.0),  # dollars
            "latency": lambda f: _scale(f.latency_s, 0.1, 100.0),  # seconds
            "verbosity": lambda f: _scale(f.output_tokens, 10.0, 10_000.0),  # tokens
            "energy": lambda f: _scale(self.pool.energy_wh_per_mtok * f.output_tokens / 1e6, 1e-3, 10.0),  # Wh
        }

    def column(self, goal: str, forecast: Forecast | Forecasts) -> Floats:
        """The cost C of every candidate; an unknown fact is as bad as the worst known, or 1.

        Shape (n_queries, n_candidates) or, of one query and of goals that no query changes, (n_candidates,).
        """
        of_query = self._of_query.get(goal)
        return _known(of_query(forecast)) if of_query else self._of_pool[goal]

    def tells(self, goal: str, forecast: Forecast) -> bool:
        """Whether the fact behind a goal is known of anybody: otherwise all candidates are alike in it."""
        of_query = self._of_query.get(goal)
        told = of_query(forecast) if of_query else self._told_of_pool.get(goal, forecast.quality)
        return not bool(np.isnan(told).all())

    @cached_property
    def _of_pool(self) -> dict[str, Floats]:
        return {goal: _known(column) for goal, column in self._told_of_pool.items()}

    @cached_property
    def _told_of_pool(self) -> dict[str, Floats]:
        """NaN where a fact is unknown."""
        profiles = [entry.profile for entry in self.pool.entries]
        # There is no clock here: the newest member of the pool stands for today.
        age_days = np.fmax.reduce(self.pool.released_day, initial=0.0) - self.pool.released_day
        flesch = np.array([np.nan if p.readability is None else p.readability for p in profiles], dtype=np.float64)
        return {
            "size": _scale(self.pool.active_params_b, 0.1, 1000.0),  # billions of active parameters
            "recency": 1.0 - np.exp(-age_days / _YEAR_DAYS),
            "security": np.array(
                [_SECURITY[e.backend.privacy] if e.backend else np.nan for e in self.pool.entries], dtype=np.float64
            ),
            "readability": 1.0 - np.clip(flesch, 0.0, 100.0) / 100.0,
            "risk": 1.0 - np.exp(-self.pool.risk_cvar95),  # from cumulative log-risk back to a probability
        }


def _scale(amount: Floats, floor: float, ceiling: float) -> Floats:
    scaled: Floats = np.log1p(np.maximum(amount, 0.0) / floor) / math.log1p(ceiling / floor)
    return scaled


def _known(column: Floats) -> Floats:
    unknown = np.isnan(column)
    if not unknown.any():
        return column
    return np.where(unknown, np.fmax.reduce(column, axis=-1, keepdims=True, initial=1.0), column)
