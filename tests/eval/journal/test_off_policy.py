import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.errors import NoOverlapError, UndefinedMetricError
from eval.journal.off_policy import LoggedChoices, evaluate_off_policy

LOG = LoggedChoices(
    reward=np.array([1.0, 0, 1, 0]),
    logged=np.array([0.5, 0.5, 0.25, 0.75]),
    target=np.array([0.8, 0.2, 0.5, 0.5]),
    modelled=np.array([0.6, 0.4, 0.5, 0.5]),
    modelled_value=np.array([0.55, 0.45, 0.5, 0.5]),
)


def test_the_estimators_agree_with_the_oracle() -> None:
    value = evaluate_off_policy(LOG)
    assert value.ips == pytest.approx(0.9)
    assert value.snips == pytest.approx(0.7714286)
    assert value.direct == pytest.approx(0.5)
    assert value.doubly_robust == pytest.approx(0.7866667)
    # weights 1.6, 0.4, 2, 2/3 sum to 4.6667; corrections .64 - .16 + 1 - .3333 = 1.1467
    assert value.self_normalised_doubly_robust == pytest.approx(0.5 + 1.1466667 / 4.6666667)
    assert value.effective_sample_size == pytest.approx(3.0397, abs=1e-4)


def test_clipping_is_reported_with_how_often_it_happened() -> None:
    value = evaluate_off_policy(LOG, clip=1.0)
    assert (value.clipped_at, value.n_clipped) == (1.0, 2)
    assert value.ips == pytest.approx((1 + 0 + 1 + 0) / 4)


def test_a_clip_that_touches_nothing_changes_nothing() -> None:
    assert evaluate_off_policy(LOG, clip=100) == evaluate_off_policy(LOG)


def test_without_a_reward_model_only_the_weighted_estimators_remain() -> None:
    bare = LoggedChoices(reward=LOG.reward, logged=LOG.logged, target=LOG.target)
    value = evaluate_off_policy(bare)
    assert (value.direct, value.doubly_robust) == (None, None)
    assert value.ips == pytest.approx(0.9)


def test_a_policy_that_shares_no_choice_with_the_log_cannot_be_valued() -> None:
    with pytest.raises(NoOverlapError, match="more exploration"):
        evaluate_off_policy(LoggedChoices(reward=np.ones(2), logged=np.ones(2), target=np.zeros(2)))


def test_a_choice_of_unknown_propensity_cannot_be_used() -> None:
    with pytest.raises(UndefinedMetricError, match="propensity"):
        LoggedChoices(reward=np.ones(1), logged=np.zeros(1), target=np.ones(1))


@given(st.integers(0, 1_000))
def test_the_logging_policy_itself_is_worth_its_mean_reward(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reward, propensity = rng.random(30), rng.uniform(0.05, 1, 30)
    value = evaluate_off_policy(LoggedChoices(reward=reward, logged=propensity, target=propensity))
    assert (value.ips, value.snips) == pytest.approx((reward.mean(), reward.mean()))
    assert value.effective_sample_size == pytest.approx(30)


@given(st.integers(0, 1_000))
def test_the_self_normalised_value_stays_within_the_observed_rewards(seed: int) -> None:
    rng = np.random.default_rng(seed)
    reward, logged, target = rng.random(20), rng.uniform(0.01, 1, 20), rng.random(20)
    value = evaluate_off_policy(LoggedChoices(reward=reward, logged=logged, target=target))
    assert reward.min() - 1e-12 <= value.snips <= reward.max() + 1e-12
