"""Calibration, against numbers made by hand."""

import numpy as np
import pytest

from predictors.quality.calibration import (
    PlattScaling,
    dispersion,
    error_scale,
    excess_logit_sd,
    expected_calibration_error,
)


def test_calibration_error_is_the_weighted_gap_of_the_bins() -> None:
    expected = np.array([0.9, 0.9, 0.9, 0.9, 0.1])
    score = np.array([1.0, 1.0, 0.0, 0.0, 0.1])
    # four outcomes expected at 0.9 and observed at 0.5, one as expected: 4/5 x 0.4 + 1/5 x 0
    assert expected_calibration_error(expected, score) == pytest.approx(0.32)


def test_overconfident_logits_are_pulled_back_to_the_truth() -> None:
    rng = np.random.default_rng(0)
    honest = rng.normal(size=20_000)
    score = (rng.random(20_000) < 1 / (1 + np.exp(-(honest + 0.5)))).astype(float)
    platt = PlattScaling.fit(2 * honest, score)  # twice as sure as it should be, and half a logit too low
    assert platt.slope == pytest.approx(0.5, abs=0.03)
    assert platt.shift == pytest.approx(0.5, abs=0.05)


def test_with_hardly_any_outcomes_logits_are_left_alone() -> None:
    platt = PlattScaling.fit(np.array([2.0]), np.array([0.0]))
    assert platt.slope == pytest.approx(1.0, abs=0.3)
    assert platt.shift == pytest.approx(0.0, abs=0.1)


def test_the_excess_error_is_nothing_for_the_truth_and_found_where_there_is_some() -> None:
    rng = np.random.default_rng(1)
    logit = rng.uniform(-2, 2, size=40_000)
    score = (rng.random(40_000) < 1 / (1 + np.exp(-logit))).astype(float)
    assert excess_logit_sd(1 / (1 + np.exp(-logit)), score) < 0.1
    assert excess_logit_sd(1 / (1 + np.exp(-(logit + 0.6))), score) == pytest.approx(0.6, abs=0.1)


def test_errors_are_scaled_to_what_groups_of_prompts_were_off_beyond_chance() -> None:
    rng = np.random.default_rng(0)
    shift = np.repeat(rng.normal(scale=0.1, size=(400, 5)), 50, axis=0)  # a group of 50 prompts is off together
    expected = np.linspace(0.3, 0.7, 20_000)[:, None] + np.zeros(5)
    score = (rng.random((20_000, 5)) < expected + shift).astype(float)
    claimed = np.full(20_000, 0.05)
    assert error_scale(expected, claimed, score, besides=np.zeros(20_000)) == pytest.approx(2.0, abs=0.15)
    assert error_scale(expected, claimed, score, besides=np.full(20_000, 0.1)) < 0.7  # what is said besides is enough


def test_where_chance_explains_all_there_is_hardly_an_error_left() -> None:
    rng = np.random.default_rng(0)
    expected = np.linspace(0.3, 0.7, 20_000)[:, None] + np.zeros(5)
    score = (rng.random((20_000, 5)) < expected).astype(float)
    assert error_scale(expected, np.full(20_000, 0.05), score, besides=np.zeros(20_000)) < 0.3


def test_right_or_wrong_answers_have_all_the_chance_and_graded_ones_a_share_of_it() -> None:
    assert dispersion(np.full(4, 0.5), np.array([0.0, 1.0, 1.0, 0.0])) == 1.0
    # each is 0.1 off: 0.01 of the 0.25 that right-or-wrong answers have at 0.5
    assert dispersion(np.full(4, 0.5), np.array([0.4, 0.6, 0.6, 0.4])) == pytest.approx(0.04)
    assert dispersion(np.full(4, 0.9), np.zeros(4)) == 1.0  # a wrong expectation is not chance


def test_the_error_of_graded_scores_is_not_hidden_behind_chance_that_they_do_not_have() -> None:
    rng = np.random.default_rng(0)
    shift = np.repeat(rng.normal(scale=0.03, size=(400, 5)), 50, axis=0)  # a group of 50 prompts is off together
    expected = np.linspace(0.4, 0.6, 20_000)[:, None] + np.zeros(5)
    graded = expected + shift + rng.normal(scale=0.05, size=(20_000, 5))
    scale = error_scale(expected, np.full(20_000, 0.03), graded, besides=np.zeros(20_000))
    assert scale == pytest.approx(1.0, abs=0.1)  # 0 where the chance of right-or-wrong answers is allowed for


def test_too_few_outcomes_to_group_leave_errors_as_they_are() -> None:
    assert error_scale(np.full((9, 1), 0.5), np.full(9, 0.1), np.ones((9, 1)), besides=np.zeros(9)) == 1.0
