"""Do forecasts mean what they say?"""

import math

import numpy as np

from catalog import Floats
from predictors.quality.calibration import dispersion

__all__ = ["expected_calibration_error", "interval_coverage"]

_Z90 = 1.6448536269514722  # standard errors that hold nine in ten


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


def interval_coverage(predicted: Floats, se: Floats, observed: Floats, *, group_size: int = 50) -> float:
    """Share of groups whose mean score lies in the 90 % interval of their mean forecast; NaN where no group is full.

    One answer is right or wrong: only a mean can lie in an interval. So a model's forecasts are sorted and cut into
    groups of about `group_size`. The interval has the forecasts' own error, which all of a group may share, and the
    chance that is left in so many answers, which is less where scores are graded.

    Args:
        predicted: (n_prompts, n_models) expected scores in [0, 1].
        se: (n_prompts, n_models) their standard errors.
        observed: (n_prompts, n_models) scores in [0, 1], NaN where untried.
        group_size: forecasts of one model.
    """
    inside: list[bool] = []
    for expected, error, score in zip(predicted.T, se.T, observed.T, strict=True):
        tried = np.flatnonzero(np.isfinite(score))
        tried = tried[np.argsort(expected[tried], kind="stable")]
        share = dispersion(expected[tried], score[tried])
        for group in np.array_split(tried, len(tried) // group_size) if len(tried) >= group_size else ():
            chance = share * float((expected[group] * (1.0 - expected[group])).mean()) / len(group)
            reach = _Z90 * math.sqrt(float(error[group].mean()) ** 2 + chance)
            inside.append(abs(float(score[group].mean() - expected[group].mean())) <= reach)
    return float(np.mean(inside)) if inside else float("nan")
