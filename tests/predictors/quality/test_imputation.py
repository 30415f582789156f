"""Fair means where not every model saw every prompt."""

import numpy as np

from predictors.quality.imputation import filled, model_means


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
