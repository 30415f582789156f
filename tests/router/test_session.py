from dataclasses import replace

import numpy as np
import pytest

from catalog import Pool
from predictors import Forecast, Forecasts, Query
from router import SessionState
from router.session import SessionAffinity

from .examples import LARGE, MIDDLE, entry, price, three_forecasts, three_models

ALL = np.array([True, True, True])


def asked(cached_tokens: int, *, input_tokens: int = 2_000) -> Query:
    return Query(text="and then?", input_tokens=input_tokens, cached_tokens=cached_tokens)


def priced(query: Query, session: SessionState | None) -> Forecast:
    return SessionAffinity(three_models()).priced(Forecasts.of([three_forecasts()]), [query], [session])[0]


def test_what_is_in_the_cache_makes_the_current_model_cheaper() -> None:
    # large charges $10 per million plain and $1 cached: 1,000 tokens in the cache save $0.009 of $0.01
    session = SessionState(backend_id="peak/large@here", cached_tokens=1_000)
    assert priced(asked(0), session).cost_usd.tolist() == pytest.approx([0.0, 0.001, 0.001])


def test_a_forecast_that_took_the_prompt_for_cached_everywhere_is_put_right_elsewhere() -> None:
    # middle would read 1,000 tokens at $1 instead of $0.1 per million: $0.0009 more
    session = SessionState(backend_id="peak/large@here", cached_tokens=1_000)
    assert priced(asked(1_000), session).cost_usd.tolist() == pytest.approx([0.0, 0.0019, 0.01])


def test_a_cache_never_holds_more_than_the_prompt() -> None:
    session = SessionState(backend_id="peak/large@here", cached_tokens=10_000_000)
    assert priced(asked(0, input_tokens=1_000), session).cost_usd[LARGE] == pytest.approx(0.001)


def test_beyond_the_limit_of_a_long_input_what_the_cache_saves_is_saved_at_its_rates() -> None:
    long = replace(price("2", "4", "0.2"), long_context=price("8", "16", "0.8"), long_context_above_tokens=200_000)
    pool = Pool([entry("a/here", price=long, backend={}), entry("a/there", price=long, backend={})])
    at_the_caches_rates = three_forecasts(pool, **same_for_both(cost_usd=0.24))  # 300,000 tokens x $0.8/M
    session = SessionState(backend_id="a/here@here", cached_tokens=300_000)
    query = asked(300_000, input_tokens=300_000)
    found = SessionAffinity(pool).priced(Forecasts.of([at_the_caches_rates]), [query], [session])[0]
    assert found.cost_usd.tolist() == pytest.approx([0.24, 2.4])  # 300,000 x $8/M elsewhere, nothing is cached there


def test_a_cost_that_was_learned_without_a_price_stays() -> None:
    pool = Pool([entry("a/priced", price=price("1", "2", "0.1"), backend={}), entry("a/unpriced", backend={})])
    learned = three_forecasts(pool, **same_for_both(cost_usd=0.01))
    session = SessionState(backend_id="a/priced@here", cached_tokens=1_000)
    found = SessionAffinity(pool).priced(Forecasts.of([learned]), [asked(0)], [session])[0]
    assert found.cost_usd.tolist() == pytest.approx([0.0091, 0.01])


def same_for_both(**columns: float) -> dict[str, float | list[float]]:
    return {**dict.fromkeys(("quality", "latency_s", "ttft_s", "output_tokens"), 1.0), **columns}


def test_where_nothing_is_cached_the_forecasts_stay_as_they_are() -> None:
    forecasts = Forecasts.of([three_forecasts(), three_forecasts()])
    sessions = [SessionState(backend_id="peak/large@here"), None]
    assert SessionAffinity(three_models()).priced(forecasts, [asked(0), asked(0)], sessions) is forecasts


def test_each_of_several_conversations_pays_for_its_own_cache_and_leaves_the_forecasts_alone() -> None:
    forecasts = Forecasts.of([three_forecasts(), three_forecasts()])
    sessions = [None, SessionState(backend_id="peak/large@here", cached_tokens=1_000)]
    found = SessionAffinity(three_models()).priced(forecasts, [asked(0), asked(0)], sessions).cost_usd
    np.testing.assert_allclose(found, [[0.0, 0.001, 0.01], [0.0, 0.001, 0.001]])
    assert forecasts.cost_usd[1, LARGE] == 0.01


@pytest.mark.parametrize(("gain", "stays"), [(0.04, True), (0.06, False)])
def test_moving_has_to_gain_more_than_the_margin(gain: float, *, stays: bool) -> None:
    utility = np.array([-1.0, -0.2, -0.2 + gain])
    session = SessionState(backend_id="hill/middle@here")
    kept = SessionAffinity(three_models(), margin=0.05).kept(utility, ALL, best=LARGE, session=session)
    assert kept == (MIDDLE if stays else None)


def test_a_model_that_is_not_eligible_is_not_kept() -> None:
    session = SessionState(backend_id="hill/middle@here")
    eligible = np.array([True, False, True])
    assert SessionAffinity(three_models()).kept(np.zeros(3), eligible, best=LARGE, session=session) is None
