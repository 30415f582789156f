import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.errors import UndefinedMetricError
from eval.intervals import GroupBootstrap
from eval.metrics import PairCurve, call_percentage_threshold, pair_curve

PUBLISHED = PairCurve(strong_share=np.array([0, 0.25, 0.5, 0.75, 1]), score=np.array([60.0, 75, 90, 97, 100]))


def test_the_average_recovered_gap_of_the_oracle_curve_is_0_6375() -> None:
    assert PUBLISHED.apgr == pytest.approx(0.6375)  # (AUC 85.5 - 60) / 40


@pytest.mark.parametrize(("recovered", "share"), [(0.2, 0.13333), (0.5, 0.33333), (0.8, 0.57143)])
def test_call_thresholds_of_the_oracle_curve(recovered: float, share: float) -> None:
    assert call_percentage_threshold(PUBLISHED, recovered) == pytest.approx(share, abs=1e-5)


def test_recovered_gap_runs_from_nothing_to_all() -> None:
    assert PUBLISHED.recovered.tolist() == [0, 0.375, 0.75, 0.925, 1]


def test_a_gain_that_knows_nothing_recovers_half_the_gap() -> None:
    rng = np.random.default_rng(1)
    weak, strong = rng.random(500), 0.2 + rng.random(500)
    assert pair_curve(gain=np.zeros(500), weak=weak, strong=strong).apgr == pytest.approx(0.5)


def test_sending_the_only_winner_first_recovers_the_gap_at_once() -> None:
    weak, strong = np.array([1.0, 1, 1, 0]), np.ones(4)
    curve = pair_curve(gain=np.array([0.0, 0, 0, 1]), weak=weak, strong=strong, n_bins=4)
    assert curve.score.tolist() == [0.75, 1, 1, 1, 1]
    assert call_percentage_threshold(curve, 1.0) == 0.25


@given(st.integers(0, 1_000))
def test_a_curve_always_ends_at_the_two_models(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weak, strong, gain = rng.random((3, 23))
    curve = pair_curve(gain=gain.round(1), weak=weak, strong=strong)
    assert (curve.score[0], curve.score[-1]) == pytest.approx((weak.mean(), strong.mean()))


def test_equal_models_have_no_gap_to_recover() -> None:
    with pytest.raises(UndefinedMetricError, match="no gap"):
        _ = PairCurve(strong_share=np.array([0.0, 1]), score=np.array([0.5, 0.5])).apgr


def test_draws_whose_gap_is_rounding_alone_have_none() -> None:
    """The second prompt gains one, the third loses a half: drawn once and twice they are level."""
    score = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 1.0], [1.0, 0.5, 0.5]])  # none, half and all to the strong model
    draws = GroupBootstrap(np.array(["a", "b", "c"]), seed=0).means(score)  # (n_resamples, 3)
    level = draws[np.abs(draws[:, 2] - draws[:, 0]) < 1e-6]
    assert (level[:, 2] != level[:, 0]).any()  # in the last bits
    for row in level:
        with pytest.raises(UndefinedMetricError, match="no gap"):
            _ = PairCurve(strong_share=np.array([0.0, 0.5, 1]), score=row).apgr


def test_a_curve_that_never_reaches_the_threshold_says_so() -> None:
    with pytest.raises(UndefinedMetricError, match="recovers 120%"):
        call_percentage_threshold(PUBLISHED, 1.2)


def test_a_curve_must_span_all_shares() -> None:
    with pytest.raises(UndefinedMetricError, match="rise from"):
        PairCurve(strong_share=np.array([0.1, 1]), score=np.array([0.0, 1]))
