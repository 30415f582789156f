"""The mean of few bounded values."""

import numpy as np
import pytest

from eval.journal.bounded_mean import bounded_mean

NOTHING = np.zeros(0)


def test_of_nothing_seen_the_interval_is_the_whole_range() -> None:
    none = bounded_mean(NOTHING, NOTHING, lower=-0.25, upper=0.75)
    assert (none.mean, none.interval.lower, none.interval.upper, none.n) == (0.0, -0.25, 0.75, 0)


def test_a_few_that_all_succeeded_are_no_certainty() -> None:
    few = bounded_mean(np.ones(4), np.ones(4), lower=0.0, upper=1.0)
    # with one success and one failure more: mean 5/6, variance 5/36 x 6/5 = 1/6, Student's t of 5 degrees 2.5706
    assert few.interval.lower == pytest.approx(5 / 6 - 2.5706 * (1 / 36) ** 0.5, abs=1e-4)
    assert (few.mean, few.interval.upper) == (1.0, 1.0)


def test_of_many_it_is_the_usual_interval() -> None:
    values = np.tile([0.0, 1.0], 5_000)
    many = bounded_mean(values, np.ones(10_000), lower=0.0, upper=1.0)
    assert many.mean == 0.5
    assert many.interval.lower == pytest.approx(0.5 - 1.96 * 0.5 / 100, abs=1e-4)
    assert many.interval.upper == pytest.approx(0.5 + 1.96 * 0.5 / 100, abs=1e-4)


def test_a_value_that_was_rarely_seen_stands_for_many() -> None:
    """Nine seen at 0.9 of the time, one at 0.1: of the population they are ten each."""
    values, weight = np.array([0.0] * 9 + [1.0]), np.array([1 / 0.9] * 9 + [1 / 0.1])
    found = bounded_mean(values, weight, lower=0.0, upper=1.0)
    assert found.mean == pytest.approx(0.5)
    assert found.interval.upper - found.interval.lower > 0.9  # as good as two or three values
