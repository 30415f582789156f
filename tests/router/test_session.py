import numpy as np
import pytest

from router import SessionState
from router.session import Stay

from .examples import LARGE, MIDDLE, three_forecasts, three_models

ALL = np.array([True, True, True])


def test_what_is_in_the_cache_makes_the_current_model_cheaper() -> None:
    # large charges $10 per million plain and $1 cached: 1,000 tokens in the cache save $0.009 of $0.01
    session = SessionState(backend_id="peak/large@here", cached_tokens=1_000)
    credited = Stay(three_models()).credited(three_forecasts(), session)
    assert credited.cost_usd.tolist() == pytest.approx([0.0, 0.001, 0.001])


def test_a_cache_never_saves_more_than_the_call_costs() -> None:
    session = SessionState(backend_id="peak/large@here", cached_tokens=10_000_000)
    assert Stay(three_models()).credited(three_forecasts(), session).cost_usd[LARGE] == 0.0


@pytest.mark.parametrize("backend_id", ["meadow/small@here", "unknown"])
def test_where_a_cache_saves_nothing_the_forecast_stays_as_it_is(backend_id: str) -> None:
    forecast = three_forecasts()
    session = SessionState(backend_id=backend_id, cached_tokens=1_000)
    assert Stay(three_models()).credited(forecast, session) is forecast


@pytest.mark.parametrize(("gain", "stays"), [(0.04, True), (0.06, False)])
def test_moving_has_to_gain_more_than_the_margin(gain: float, *, stays: bool) -> None:
    utility = np.array([-1.0, -0.2, -0.2 + gain])
    session = SessionState(backend_id="hill/middle@here")
    kept = Stay(three_models(), margin=0.05).kept(utility, ALL, best=LARGE, session=session)
    assert kept == (MIDDLE if stays else None)


def test_a_model_that_is_not_eligible_is_not_kept() -> None:
    session = SessionState(backend_id="hill/middle@here")
    eligible = np.array([True, False, True])
    assert Stay(three_models()).kept(np.zeros(3), eligible, best=LARGE, session=session) is None
