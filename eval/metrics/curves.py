"""A whole cost-quality curve in one number. Each states which of the published variants it is."""

import math

import numpy as np

from catalog import Floats
from eval.errors import UndefinedMetricError

from .frontier import cheapest_reaching, non_decreasing_hull

__all__ = [
    "aiq_paper",
    "aiq_reference",
    "area_under_deferral_curve",
    "cost_share",
    "hypervolume",
    "peak_quality",
    "quality_neutral_cost",
]


def aiq_paper(cost: Floats, quality: Floats, *, max_cost: float, min_cost: float | None = None) -> float:
    """Average improvement in quality: the mean height of the non-decreasing hull between two costs.

    Args:
        cost: (n,) mean cost of every operating point.
        quality: (n,) its mean score.
        max_cost: where the average ends; the hull is extended flat to it. The same for all compared routers.
        min_cost: where it begins; the cheapest point unless told.

    Source: Hu et al., RouterBench, arXiv 2403.12031.
    """
    start = float(cost.min()) if min_cost is None else min_cost
    if not max_cost > start:
        raise UndefinedMetricError(f"AIQ averages from {start:g} to {max_cost:g}: an empty range of costs")
    return _area_under_hull(cost, quality, start=start, end=max_cost) / (max_cost - start)


def aiq_reference(cost: Floats, quality: Floats, *, max_cost: float) -> float:
    """AIQ as the published code computes it: divided by the largest cost itself, so 0 below the cheapest point."""
    return _area_under_hull(cost, quality, start=float(cost.min()), end=max_cost) / max_cost


def area_under_deferral_curve(cost: Floats, quality: Floats) -> float:
    """AUDC: trapezoids under mean score against mean cost, the costs min-max normalised over the sweep.

    Source: Jitkrittum et al., Universal Model Routing, 2025.
    """
    order = np.argsort(cost, kind="stable")
    spread = float(cost.max() - cost.min())
    if spread == 0:
        raise UndefinedMetricError("every operating point costs the same: there is no deferral curve")
    return float(np.trapezoid(quality[order], (cost[order] - cost.min()) / spread))


def peak_quality(quality: Floats) -> float:
    """The best mean score of any operating point."""
    return float(quality.max())


def quality_neutral_cost(
    cost: Floats, quality: Floats, *, best_single_cost: float, best_single_quality: float
) -> float:
    """QNC: the share of the best single model's cost at which a router equals its mean score; NaN if it never does.

    Operating points are mixed as on the hull. The strict variant, not the one that settles for 90 % of the peak.
    """
    return cost_share(cheapest_reaching(cost, quality, target=best_single_quality), of=best_single_cost)


def cost_share(cost: float, *, of: float) -> float:
    """A mean cost as a share of another: 1 where both are free, NaN where the other alone is."""
    if cost == of:
        return 1.0
    return cost / of if of > 0 else math.nan


def hypervolume(cost: Floats, quality: Floats, *, max_cost: float, min_quality: float = 0.0) -> float:
    """Area dominated by the front and bounded by the reference point, the same for all compared routers."""
    area, reached = 0.0, min_quality
    for index in np.lexsort((-quality, cost)):
        if cost[index] < max_cost and quality[index] > reached:
            area += float((max_cost - cost[index]) * (quality[index] - reached))
            reached = float(quality[index])
    return area


def _area_under_hull(cost: Floats, quality: Floats, *, start: float, end: float) -> float:
    """Zero quality below the cheapest point, flat after the dearest."""
    hull = non_decreasing_hull(cost, quality)
    first = max(start, float(hull[0, 0]))
    if first >= end:
        return 0.0
    inner = hull[(hull[:, 0] > first) & (hull[:, 0] < end), 0]
    x = np.concatenate([[first], inner, [end]])
    return float(np.trapezoid(np.interp(x, hull[:, 0], hull[:, 1]), x))
