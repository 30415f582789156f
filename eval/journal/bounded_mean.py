"""The mean of bounded values of which perhaps few were seen, and how far off it may be.

Resampling what was seen says nothing of what was not: four answers that all succeeded, drawn again and again, succeed
with certainty. One value at either end of the range is added to what was seen, and the interval is Student's about
that: of nothing it is the whole range, of few it is wide and pulled to the middle, of many it is the usual one.

Source: Agresti and Caffo, Simple and Effective Confidence Intervals for Proportions and Differences of Proportions
Result from Adding Two Successes and Two Failures, The American Statistician 54(4), 2000 (one of each to each sample);
for weights, the linearised variance of Hajek's ratio estimator.
"""

from dataclasses import dataclass

import numpy as np

from catalog import Floats
from eval.intervals import Interval

__all__ = ["BoundedMean", "bounded_mean"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundedMean:
    """A weighted mean and its interval."""

    mean: float  # of what was seen; 0, or the nearest to it within the interval, where nothing was
    interval: Interval
    n: int  # values seen


def bounded_mean(values: Floats, weight: Floats, *, lower: float, upper: float, level: float = 0.95) -> BoundedMean:
    """The mean of a population from some of its values, each seen with a probability in proportion to 1 / weight.

    Args:
        values: (n_seen,) independent of one another; (0,) where nothing was seen.
        weight: (n_seen,) above 0.
        lower: the mean cannot be less.
        upper: the mean cannot be more.
        level: of the interval.
    """
    from scipy.stats import t as student  # noqa: PLC0415 - heavy, and needed only here

    usual = float(weight.mean()) if len(weight) else 1.0
    all_values = np.concatenate([values, [lower, upper]])  # (n_seen + 2,)
    all_weights = np.concatenate([weight, [usual, usual]])  # (n_seen + 2,)
    total = float(all_weights.sum())
    middle = float(all_weights @ all_values) / total
    effective = total**2 / float(all_weights @ all_weights)  # of n_seen + 2; always above 1
    variance = float(all_weights**2 @ (all_values - middle) ** 2) / total**2 * effective / (effective - 1)
    reach = float(student.ppf((1 + level) / 2, effective - 1)) * variance**0.5
    interval = Interval(lower=max(lower, middle - reach), upper=min(upper, middle + reach))
    mean = float(weight @ values / weight.sum()) if len(values) else 0.0
    return BoundedMean(mean=min(max(mean, interval.lower), interval.upper), interval=interval, n=len(values))
