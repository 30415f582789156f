"""Residual heads."""

import numpy as np

from predictors.quality.placement.heads import residual_heads


def test_what_is_left_over_is_learned_and_shrunk() -> None:
    rng = np.random.default_rng(0)
    coordinates = rng.normal(size=(2000, 3))
    expected = np.full((2000, 2), 0.5)
    score = expected + np.stack([0.2 * coordinates[:, 0], np.zeros(2000)], axis=1)
    heads = residual_heads(coordinates, score, expected, penalty=1.0)
    np.testing.assert_allclose(heads[:, 0], [0.1, 0.0, 0.0], atol=0.01)  # variance 1 against penalty 1: half of it
    np.testing.assert_allclose(heads[:, 1], 0.0)


def test_a_model_with_few_outcomes_keeps_a_small_head() -> None:
    rng = np.random.default_rng(0)
    coordinates = rng.normal(size=(2000, 3))
    score = np.full((2000, 1), np.nan)
    score[:20, 0] = 0.5 + coordinates[:20, 0]
    heads = residual_heads(coordinates, score, np.full((2000, 1), 0.5), penalty=0.3)
    assert np.abs(heads).max() < 0.02
