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


def test_forecasts_as_sure_as_they_may_be_cover_nine_groups_in_ten() -> None:
    rng = np.random.default_rng(0)
    predicted = rng.uniform(0.1, 0.9, size=(5_000, 8))
    observed = (rng.random(predicted.shape) < predicted).astype(np.float64)
    assert interval_coverage(predicted, np.zeros(predicted.shape), observed) == pytest.approx(0.9, abs=0.025)


def test_forecasts_that_are_off_are_covered_as_far_as_they_admit_it() -> None:
    predicted, observed = np.full((200, 1), 0.5), np.ones((200, 1))
    assert interval_coverage(predicted, np.zeros((200, 1)), observed) == 0.0
    assert interval_coverage(predicted, np.full((200, 1), 0.31), observed) == 1.0  # 1.645 x 0.31 reaches 0.51


def test_graded_scores_leave_less_to_chance_than_answers_that_are_right_or_wrong() -> None:
    rng = np.random.default_rng(0)
    predicted = np.linspace(0.4, 0.6, 10_000)[:, None]
    graded = predicted + rng.normal(scale=0.05, size=predicted.shape)
    assert interval_coverage(predicted, np.zeros(predicted.shape), graded) == pytest.approx(0.9, abs=0.05)
    shifted = np.repeat(rng.choice([-0.03, 0.03], size=200), 50)[:, None]  # four standard errors of a group's mean
    assert interval_coverage(predicted, np.zeros(predicted.shape), graded + shifted) < 0.1


def test_too_few_forecasts_of_a_model_say_nothing() -> None:
    predicted = np.full((200, 1), 0.5)
    observed = np.where(np.arange(200)[:, None] < 49, 1.0, np.nan)
    assert np.isnan(interval_coverage(predicted, predicted, observed))
