"""Measures that the numbers do not define."""

from collections.abc import Callable

from eval.errors import UndefinedMetricError

__all__ = ["or_nan"]


def or_nan(measure: Callable[[], float]) -> float:
    """A measure, NaN where the numbers do not define it: one bad curve must not cost a report its other rows."""
    try:
        return measure()
    except UndefinedMetricError:
        return float("nan")
