import numpy as np
import pytest

from eval import intervals
from eval.intervals import GroupBootstrap, percentile_interval


def test_the_same_seed_draws_the_same_interval() -> None:
    values = np.random.default_rng(1).random(200)
    groups = np.arange(200).astype(str)
    first, second = (GroupBootstrap(groups, seed=7).of_difference(values, np.zeros(200)) for _ in range(2))
    assert first == second


def test_the_interval_of_independent_prompts_is_the_textbook_one() -> None:
    values = np.random.default_rng(2).normal(size=400)
    found = GroupBootstrap(np.arange(400).astype(str), n_resamples=4_000).of_difference(values, np.zeros(400))
    half_width = 1.96 * values.std() / 20
    assert found.lower == pytest.approx(values.mean() - half_width, abs=0.01)
    assert found.upper == pytest.approx(values.mean() + half_width, abs=0.01)


def test_copies_of_a_prompt_in_one_group_make_nobody_surer() -> None:
    values = np.random.default_rng(3).normal(size=50)
    alone = GroupBootstrap(np.arange(50).astype(str)).of_difference(values, np.zeros(50))
    copied = GroupBootstrap(np.repeat(np.arange(50), 8).astype(str)).of_difference(np.repeat(values, 8), np.zeros(400))
    assert (copied.lower, copied.upper) == pytest.approx((alone.lower, alone.upper))


def test_a_constant_difference_has_no_width_however_noisy_the_policies() -> None:
    noisy = np.random.default_rng(4).normal(size=100)
    found = GroupBootstrap(np.arange(100).astype(str)).of_difference(noisy + 0.25, noisy)
    assert (found.lower, found.upper) == pytest.approx((0.25, 0.25))


def test_any_function_of_means_gets_an_interval() -> None:
    columns = np.column_stack([np.full(10, 2.0), np.full(10, 8.0)])
    found = GroupBootstrap(np.arange(10).astype(str)).of_statistic(columns, lambda means: float(means[0] / means[1]))
    assert (found.lower, found.upper) == pytest.approx((0.25, 0.25))


def test_a_statistic_that_is_never_defined_has_no_interval() -> None:
    found = GroupBootstrap(np.array(["a", "b"])).of_statistic(np.ones((2, 1)), lambda _: float("nan"))
    assert np.isnan(found.lower)
    assert np.isnan(found.upper)


def test_draws_without_bound_count_as_the_greatest() -> None:
    draws = np.append(np.arange(95.0), np.full(5, np.inf))
    found = percentile_interval(draws)
    assert (found.lower, found.upper) == (2, np.inf)
    assert percentile_interval(np.full(9, np.inf)).lower == np.inf


@pytest.mark.parametrize(("n_groups", "least", "most"), [(100, 0.92, 0.98), (20, 0.91, 0.98), (5, 0.8, 0.93)])
def test_the_truth_lies_within_as_often_as_is_said_unless_groups_are_few(
    n_groups: int, least: float, most: float
) -> None:
    held = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        easy = 1 / (1 + np.exp(-1 - rng.normal(size=(n_groups, 1))))  # prompts of a group are as hard as each other
        first, second = ((rng.random((n_groups, 4)) < easy).astype(np.float64).ravel() for _ in range(2))
        group = np.repeat(np.arange(n_groups), 4).astype(str)
        found = GroupBootstrap(group, seed=seed, n_resamples=400).of_difference(first, second)
        held.append(found.lower <= 0 <= found.upper)
    assert least < np.mean(held) < most


def test_more_groups_than_are_drawn_one_by_one_leave_intervals_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=4000)
    group = np.array([str(i) for i in range(4000)])
    whole = GroupBootstrap(group, seed=0).of_difference(values, np.zeros(4000))
    monkeypatch.setattr(intervals, "_MOST_GROUPS", 500)
    merged = GroupBootstrap(group, seed=0).of_difference(values, np.zeros(4000))
    assert merged.upper - merged.lower == pytest.approx(whole.upper - whole.lower, rel=0.1)
    assert merged.lower < values.mean() < merged.upper
