"""What a router has to beat, and how a mean per domain is shrunk."""

import numpy as np

from predictors.quality.members.baselines import domain_means


def test_a_model_that_excels_at_one_task_keeps_it_while_an_even_one_is_shrunk_to_its_mean() -> None:
    rng = np.random.default_rng(0)
    member = np.repeat(np.eye(6), 40, axis=0)  # 6 domains of 40 prompts
    even = (rng.random((240, 8)) < 0.7).astype(float)
    specialist = np.repeat([1.0, 0.2, 0.9, 0.3, 0.95, 0.25], 40)
    score = np.column_stack([even, specialist])
    means = domain_means(score, member, pooling=1.0)
    raw = member.T @ score / 40
    assert np.abs(means[:, 8] - raw[:, 8]).max() < 0.06
    assert means[:, :8].std(axis=0).mean() < 0.6 * raw[:, :8].std(axis=0).mean()  # the evens' spread is mostly noise


def test_where_no_model_departs_from_its_mean_the_ease_of_a_domain_is_all_that_is_left() -> None:
    member = np.repeat(np.eye(2), 50, axis=0)
    score = np.column_stack([np.repeat([0.9, 0.5], 50), np.repeat([0.8, 0.4], 50)])
    means = domain_means(score, member, pooling=16.0)
    np.testing.assert_allclose(means[0] - means[1], 0.4, atol=0.01)
    np.testing.assert_allclose(means[:, 0] - means[:, 1], 0.1, atol=0.01)
