"""RouterArena's measures: one score of accuracy and log-cost, and how often the cheapest right model is picked.

Source: RouterArena, arXiv 2510.00202.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catalog import Floats

__all__ = ["OptimalSelection", "arena_cost_score", "arena_latency_score", "arena_score", "optimal_selection"]

_MAX_USD_PER_1K = 200.0
_MIN_USD_PER_1K = 0.0044
_BETA = 0.1
_LATENCY_ALLOWANCE_MS = 10.0


def arena_cost_score(usd_per_1k: float) -> float:
    """1 at 0.0044 dollars per thousand queries, 0 at 200, linear in the logarithm between them."""
    clipped = np.clip(usd_per_1k, _MIN_USD_PER_1K, _MAX_USD_PER_1K)
    return float(np.log2(_MAX_USD_PER_1K / clipped) / np.log2(_MAX_USD_PER_1K / _MIN_USD_PER_1K))


def arena_score(*, accuracy: float, usd_per_1k: float) -> float:
    """Weighted harmonic mean of accuracy in [0, 1] and the cost score; beta 0.1 favours accuracy."""
    cost = arena_cost_score(usd_per_1k)
    return (1 + _BETA) * accuracy * cost / (_BETA * accuracy + cost)


def arena_latency_score(router_ms: float) -> float:
    """1 / (overhead - 10 ms), clipped to 1 at 11 ms and below, where the published form has its pole."""
    return 1.0 / max(router_ms - _LATENCY_ALLOWANCE_MS, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimalSelection:
    """How close the choices come to the cheapest right model; NaN where no prompt has one.

    All depend on the pool: always name it beside them.
    """

    selection: float  # share of answerable prompts whose choice is the cheapest right model
    cost: float  # mean of cheapest right cost / actual cost over the answerable prompts
    accuracy: float  # accuracy / best accuracy the pool can reach, over all prompts


def optimal_selection(
    *, correct: npt.NDArray[np.bool_], cost: Floats, chosen: npt.NDArray[np.int_]
) -> OptimalSelection:
    """Compare choices with the cheapest right model of every prompt.

    Args:
        correct: (n_prompts, n_models).
        cost: (n_prompts, n_models), not negative.
        chosen: (n_prompts,) positions of the chosen models.
    """
    rows = np.arange(len(chosen))
    answerable = correct.any(axis=1)  # (n_prompts,)
    cheapest_right = np.where(correct, cost, np.inf).min(axis=1)  # (n_prompts,)
    picked_right, picked_cost = correct[rows, chosen], cost[rows, chosen]  # (n_prompts,), (n_prompts,)
    is_optimal = picked_right & (picked_cost <= cheapest_right)  # (n_prompts,)
    if not answerable.any():
        return OptimalSelection(selection=math.nan, cost=math.nan, accuracy=math.nan)
    cheapest, paid = cheapest_right[answerable], picked_cost[answerable]  # (n_answerable,) each
    ratio = np.divide(cheapest, paid, out=np.ones(len(paid)), where=paid > 0)  # a free choice costs what it must
    return OptimalSelection(
        selection=float(is_optimal[answerable].mean()),
        cost=float(ratio.mean()),
        accuracy=float(picked_right.mean() / answerable.mean()),
    )
