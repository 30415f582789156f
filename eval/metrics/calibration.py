"""Do forecasts mean what they say?"""

import numpy as np

from catalog import Floats

__all__ = ["expected_calibration_error", "interval_coverage"]


def expected_calibration_error(predicted: Floats, observed: Floats, *, n_bins: int = 15) -> float:
    """ECE: mean distance between forecast and outcome over bins of equal size, weighted by their size.

    Equal-mass bins, since forecasts of good models crowd near 1 and equal-width bins would leave most empty.

    Args:
        predicted: (n,) expected scores in [0, 1].
        observed: (n,) scores in [0, 1].
        n_bins: how many bins; fewer where there are fewer forecasts.
    """
    order = np.argsort(predicted, kind="stable")
    bins = np.array_split(order, min(n_bins, len(order)))
    distances = [abs(predicted[b].mean() - observed[b].mean()) * len(b) for b in bins]
    return float(sum(distances) / len(order))


def interval_coverage(lower: Floats, upper: Floats, observed: Floats) -> float:
    """Share of outcomes (n,) inside their interval, ends included."""
    return float(((lower <= observed) & (observed <= upper)).mean())
