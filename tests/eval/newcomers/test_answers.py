"""How forecasts of single answers are judged."""

import numpy as np
import pytest

from eval.newcomers.answers import area_under_curve, log_loss


def test_right_answers_expected_above_all_wrong_ones_give_an_area_of_one() -> None:
    assert area_under_curve(np.array([1.0, 0.0, 1.0]), np.array([0.7, 0.2, 0.9])) == 1.0


def test_ties_count_half() -> None:
    # right 0.5 and 0.9 against wrong 0.5: half a win and a whole one
    assert area_under_curve(np.array([1.0, 1.0, 0.0]), np.array([0.5, 0.9, 0.5])) == 0.75


def test_without_a_wrong_answer_there_is_no_area() -> None:
    assert np.isnan(area_under_curve(np.ones(3), np.array([0.1, 0.2, 0.3])))


def test_log_loss_is_the_mean_surprise() -> None:
    assert log_loss(np.array([1.0, 0.0]), np.array([0.5, 0.75])) == pytest.approx((np.log(2) + np.log(4)) / 2)
