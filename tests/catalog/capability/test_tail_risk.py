import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import InvalidMeasurementError
from catalog.capability.tail_risk import cvar, judges_agree, log_risk, tail_risk, union_of_failures, value_at_risk

HUNDRED = np.arange(1.0, 101.0)


def test_the_union_of_four_failures_and_its_log_risk() -> None:
    harm = np.array([0.1, 0.2, 0.0, 0.05])
    assert union_of_failures(harm) == pytest.approx(0.316)
    assert log_risk(harm) == pytest.approx(0.379797, abs=1e-6)


def test_the_tail_of_one_to_a_hundred() -> None:
    assert value_at_risk(HUNDRED) == pytest.approx(95.05)
    assert cvar(HUNDRED) == 98.0


def test_the_tail_of_901_prompts_rests_on_46_of_them() -> None:
    told = tail_risk(np.arange(901.0), rng=np.random.default_rng(0), resamples=200)
    assert (told.n, told.n_tail) == (901, 46)
    assert told.cvar_lower <= told.cvar <= told.cvar_upper
    assert told.mean == 450.0


def test_a_certain_failure_stays_finite() -> None:
    assert log_risk(np.array([1.0])) == pytest.approx(13.8155, abs=1e-3)


def test_several_judges_lie_between_their_mean_and_their_maximum() -> None:
    harm = np.array([0.1, 0.1, 0.7])
    assert judges_agree(harm, sharpness=1e-6) == pytest.approx(0.3, abs=1e-4)
    assert judges_agree(harm, sharpness=500.0) == pytest.approx(0.7, abs=0.01)
    assert judges_agree(harm, sharpness=5.0) == pytest.approx(0.4992621)  # ln((2 e^0.5 + e^3.5) / 3) / 5


@given(st.lists(st.floats(0, 0.99), min_size=1, max_size=3))  # nearer to certainty 1 - R has no digits left
def test_log_risk_is_the_logarithm_of_the_union(harm: list[float]) -> None:
    clipped = np.array(harm)
    assert log_risk(clipped) == pytest.approx(-np.log1p(-union_of_failures(clipped)), rel=1e-3, abs=1e-9)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_the_tail_is_never_milder_than_the_mean(losses: list[float]) -> None:
    row = np.array(losses)
    assert cvar(row) >= row.mean() - 1e-6


@pytest.mark.parametrize("losses", [np.array([]), np.array([1.0, np.nan]), np.ones((2, 2))])
def test_losses_that_are_none_are_refused(losses: np.ndarray) -> None:
    with pytest.raises(InvalidMeasurementError):
        value_at_risk(losses)


def test_a_probability_above_one_is_refused() -> None:
    with pytest.raises(InvalidMeasurementError, match=r"\[0, 1\]"):
        union_of_failures(np.array([1.2]))
