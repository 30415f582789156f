"""Fair means where not every model saw every prompt."""

import numpy as np
import pytest

from predictors.quality.members.imputation import best_single, filled, model_means


def test_without_gaps_a_model_has_its_plain_mean() -> None:
    score = np.array([[1.0, 0.0], [0.0, 0.0]])
    np.testing.assert_array_equal(model_means(score), [0.5, 0.0])
    assert filled(score) is score


def test_a_model_that_saw_only_the_easy_prompts_does_not_look_better_for_it() -> None:
    easy, hard = [1.0, 1.0, 0.95], [0.2, 0.3, np.nan]  # the third model, weakest on easy prompts, skipped the hard
    score = np.array([easy, hard] * 20)
    means = model_means(score)
    assert np.nanmean(score, axis=0).argmax() == 2
    assert means[2] < means[:2].min()


def test_gaps_are_filled_within_0_and_1() -> None:
    complete = filled(np.array([[1.0, np.nan], [0.0, 0.0], [1.0, 1.0]]))
    assert np.isfinite(complete).all()
    assert complete.min() >= 0
    assert complete.max() <= 1


def test_a_model_that_saw_only_the_hard_prompts_is_not_taken_for_more_than_right() -> None:
    easy, hard = [0.95, 0.9, np.nan], [0.1, 0.3, 0.6]  # ten points of ease on the hard prompts are not ten on the easy
    score = np.array([easy, hard] * 20)
    means = model_means(score)
    assert means.argmax() == 2
    assert means[2] < 0.8  # 0.6 on the hard ones; 0.6 + the easy ones' extra ease of 0.7 would be 1.3 there
    assert means.max() <= 1


def test_a_model_without_outcomes_counts_as_the_mean_of_the_others() -> None:
    means = model_means(np.array([[1.0, 0.0, np.nan], [1.0, 1.0, np.nan]]))
    assert means[2] == pytest.approx(means[:2].mean(), abs=0.03)  # prompts are weighed by what is known of them


def test_the_best_single_model_is_one_that_answered_nearly_all() -> None:
    partly = np.concatenate([np.ones(10), np.full(10, np.nan)])  # never wrong, but asked half of the prompts only
    score = np.stack([np.full(20, 0.8), np.full(20, 0.6), partly], axis=1)
    assert model_means(score).argmax() == 2
    assert best_single(score) == 0
    assert best_single(score[:, 2:]) == 0  # nobody answered nearly all: then all count
