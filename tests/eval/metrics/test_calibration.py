import numpy as np
import pytest

from eval.metrics import expected_calibration_error, interval_coverage


def test_forecasts_that_hold_on_average_have_no_calibration_error() -> None:
    predicted = np.repeat([0.25, 0.75], 4)
    observed = np.array([1, 0, 0, 0, 1, 1, 1, 0.0])
    assert expected_calibration_error(predicted, observed, n_bins=2) == 0


def test_the_error_weighs_bins_by_their_size() -> None:
    predicted = np.array([0.1, 0.1, 0.9, 0.9])
    observed = np.array([0.0, 0.0, 1.0, 0.0])  # bin errors 0.1 and 0.4
    assert expected_calibration_error(predicted, observed, n_bins=2) == pytest.approx(0.25)


def test_coverage_counts_the_ends_as_inside() -> None:
    lower, upper = np.zeros(4), np.ones(4)
    assert interval_coverage(lower, upper, np.array([0, 1, 0.5, 1.1])) == 0.75
