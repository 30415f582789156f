"""Routing between a weak and a strong model: recovered performance gap against the share of strong calls.

Source: Ong et al., RouteLLM, arXiv 2406.18665, and the integration its published code uses.
"""

from dataclasses import dataclass
from math import isclose

import numpy as np

from catalog import Floats
from eval.errors import UndefinedMetricError

__all__ = ["PairCurve", "call_percentage_threshold", "pair_curve", "score_alike", "strong_weights"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCurve:
    """Mean score against the share of prompts sent to the strong model, from none of them to all."""

    strong_share: Floats  # (n_points,), rising from 0 to 1
    score: Floats  # (n_points,)

    def __post_init__(self) -> None:
        if self.strong_share[0] != 0 or self.strong_share[-1] != 1 or np.any(np.diff(self.strong_share) < 0):
            raise UndefinedMetricError("a pair's curve must rise from a strong share of 0 to one of 1")

    @property
    def recovered(self) -> Floats:
        """PGR: the recovered share of the gap between weak and strong at every point, shape (n_points,)."""
        recovered: Floats = (self.score - self.score[0]) / self._gap  # (n_points,)
        return recovered

    @property
    def apgr(self) -> float:
        """Average recovered performance gap: 0.5 for random routing, by trapezoids as in the published code."""
        return float((np.trapezoid(self.score, self.strong_share) - self.score[0]) / self._gap)

    @property
    def _gap(self) -> float:
        weak, strong = float(self.score[0]), float(self.score[-1])
        if score_alike(weak, strong):
            raise UndefinedMetricError("weak and strong model score the same: there is no gap to recover")
        return strong - weak


def score_alike(weak: float, strong: float) -> bool:
    """Whether two means in [0, 1] differ by no more than rounding; a bootstrap draws in single precision."""
    return isclose(weak, strong, rel_tol=0.0, abs_tol=1e-6)


def pair_curve(*, gain: Floats, weak: Floats, strong: Floats, n_bins: int = 10) -> PairCurve:
    """The curve of a router that sends the prompts of largest predicted gain to the strong model.

    Args:
        gain: (n,) predicted advantage of the strong model; prompts of equal gain count as mixed evenly.
        weak: (n,) true score of the weak model.
        strong: (n,) true score of the strong model.
        n_bins: operating points lie at the quantiles 0, 1/n_bins, ..., 1, as published.
    """
    weights = strong_weights(gain, n_bins=n_bins)  # (n, n_bins + 1)
    score = weak.mean() + weights.T @ (strong - weak) / len(gain)  # (n_bins + 1,)
    return PairCurve(strong_share=np.linspace(0, 1, n_bins + 1), score=score)


def strong_weights(gain: Floats, *, n_bins: int = 10) -> Floats:
    """How much of each prompt goes to the strong model when the shares 0, 1/n_bins, ..., 1 of all prompts do.

    Args:
        gain: (n,) predicted advantage of the strong model; those who share a gain share what is left evenly.
        n_bins: one less than the operating points.

    Returns:
        (n, n_bins + 1) in [0, 1]; column k sums to n k / n_bins.
    """
    _, place, size = np.unique(-gain, return_inverse=True, return_counts=True)
    before = (np.cumsum(size) - size)[place]  # (n,) prompts of greater gain
    wanted = np.linspace(0, 1, n_bins + 1) * len(gain)  # (n_bins + 1,)
    return np.clip((wanted - before[:, None]) / size[place][:, None], 0.0, 1.0)


def call_percentage_threshold(curve: PairCurve, recovered: float) -> float:
    """CPT: smallest strong share that recovers this share of the gap; linear between operating points.

    CPT(50 %) is `call_percentage_threshold(curve, 0.5)`. Raises UndefinedMetricError where no point reaches it.
    """
    reached = curve.recovered  # (n_points,)
    above = np.flatnonzero(reached >= recovered)
    if above.size == 0:
        raise UndefinedMetricError(f"no operating point recovers {recovered:.0%} of the gap")
    first = int(above[0])
    if first == 0:
        return float(curve.strong_share[0])
    return float(
        np.interp(recovered, reached[first - 1 : first + 1], curve.strong_share[first - 1 : first + 1])  # (2,)
    )
