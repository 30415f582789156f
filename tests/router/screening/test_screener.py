from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import Measured, Pool
from predictors import Forecast, Forecasts, Query
from router import Bools, Constraints, RoutingOptions, RoutingRequest, Screening, SessionState
from router.screening.screener import Screener
from tests.router.examples import entry, three_forecasts, three_models

ASKED = Query(text="Why is the sky blue?", input_tokens=100, max_output_tokens=200)
NAMES = ("small", "middle", "large")


def screened(
    require: Constraints | None = None, *, query: Query = ASKED, session: SessionState | None = None, **options: object
) -> Screening:
    pool = three_models()
    wanted = RoutingOptions(require=require or Constraints(), **options)
    return screen(pool, three_forecasts(pool), wanted, query=query, session=session)


def screen(
    pool: Pool,
    forecast: Forecast,
    options: RoutingOptions,
    *,
    query: Query = ASKED,
    session: SessionState | None = None,
    available: Bools | None = None,
) -> Screening:
    screener = Screener(pool)
    asked = [RoutingRequest(query=query, options=options, session=session)]
    (found,) = screener.screen(asked, Forecasts.of([forecast]), screener.demands(options), available=available)
    return found


def eligible(require: Constraints | None = None, **more: object) -> list[str]:
    return [name for name, ok in zip(NAMES, screened(require, **more).eligible, strict=True) if ok]


def test_without_constraints_everybody_is_eligible() -> None:
    assert eligible() == ["small", "middle", "large"]


@pytest.mark.parametrize(
    ("constraint", "limit", "left"),
    [
        ("max_cost_usd", 0.001, ["small", "middle"]),
        ("max_input_usd_per_mtok", 1.0, ["small", "middle"]),
        ("max_output_usd_per_mtok", 1.0, ["small"]),
        ("max_latency_s", 3.0, ["small", "middle"]),
        ("max_ttft_s", 0.1, ["small"]),
        ("min_quality", 0.8, ["middle", "large"]),
        ("max_params_b", 10.0, ["small"]),  # the large one's size is unknown
        ("max_active_params_b", 10.0, ["small", "middle"]),
        ("released_after", date(2024, 6, 1), ["large"]),  # after means after
        ("knowledge_after", date(2023, 1, 1), ["middle"]),
        ("licenses", frozenset({"Apache-2.0"}), ["small"]),
        ("licenses", frozenset({"open-weights"}), ["small", "middle"]),
        ("licenses", frozenset({"commercial"}), ["small", "middle", "large"]),
        ("providers", frozenset({"hill", "peak"}), ["middle", "large"]),
        ("exclude_providers", frozenset({"Hill"}), ["small", "large"]),
        ("regions", frozenset({"eu"}), ["small", "middle"]),
        ("regions", frozenset({"eu-west-1"}), ["middle"]),
        ("privacy", "no_training", ["small", "middle", "large"]),
        ("privacy", "no_retention", ["small", "middle"]),
        ("privacy", "local", ["small"]),
        ("tiers", frozenset({"device", "edge"}), ["small"]),
        ("capabilities", frozenset({"tools"}), ["middle", "large"]),
        ("capabilities", frozenset({"vision"}), ["large"]),  # it takes images
        ("min_context", 100_000, ["large"]),
        ("max_energy_wh", 0.2, ["middle"]),  # 500 Wh per million tokens, 200 tokens
        ("max_risk", 0.5, ["large"]),
        ("max_agent_risk", 1.0, []),
        ("quantizations", frozenset({"int4"}), ["small"]),
        ("quantizations", frozenset({"unknown"}), ["middle", "large"]),
    ],
)
def test_each_constraint_rejects_who_breaks_it_or_does_not_say(constraint: str, limit: object, left: list[str]) -> None:
    assert eligible(Constraints(**{constraint: limit})) == left


def test_answers_that_are_asked_for_at_once_take_the_energy_of_all() -> None:
    several = Query(text="Hello", input_tokens=100, max_output_tokens=200, n_answers=3)
    assert eligible(Constraints(max_energy_wh=0.2), query=several) == []  # three times 0.1 Wh
    assert eligible(Constraints(max_energy_wh=0.31), query=several) == ["middle"]


def test_constraints_hold_together() -> None:
    assert eligible(Constraints(min_quality=0.7, max_cost_usd=0.005)) == ["middle"]


def test_a_quality_floor_at_a_confidence_is_held_by_the_lower_bound() -> None:
    pool = three_models()
    forecast = three_forecasts(pool, quality_se=[0.0, 0.1, 0.1])
    options = RoutingOptions(require=Constraints(min_quality=0.75, confidence=0.9))
    screening = screen(pool, forecast, options)
    assert screening.eligible.tolist() == [False, False, True]  # 0.9 - 1.2816 x 0.1 = 0.772; 0.8 gives 0.672


def test_a_non_commercial_licence_is_not_commercial_and_an_unknown_one_is_no_licence() -> None:
    pool = Pool([entry("a/a", license="cc-by-nc-4.0"), entry("a/b", license="mit"), entry("a/c")])
    options = RoutingOptions(require=Constraints(licenses=frozenset({"commercial"})))
    screening = screen(pool, three_forecasts(pool), options)
    assert screening.eligible.tolist() == [False, True, False]


def test_a_prompt_that_does_not_fit_the_window_with_its_answer_is_not_sent_there() -> None:
    query = Query(text="long", input_tokens=7_900, max_output_tokens=101)
    assert eligible(query=query) == ["large"]  # 8,001 > 8,000


def test_without_a_limit_the_expected_length_of_the_answer_has_to_fit() -> None:
    assert eligible(query=Query(text="long", input_tokens=7_850)) == ["small", "large"]  # 100 more fit, 200 do not


def test_a_window_is_counted_in_the_models_own_tokens() -> None:
    pool = Pool(
        entry(f"a/{name}", backend={"measured": Measured(n_calls=9, input_token_ratio=ratio, input_tokens_added=added)})
        for name, ratio, added in (
            ("coarse", 0.5, None),
            ("usual", None, 499),
            ("fine", 1.5, None),
            ("long", None, 501),
        )
    )
    needed = Query(text="long", input_tokens=7_000, max_output_tokens=500)
    more = Query(text="longer", input_tokens=9_000, max_output_tokens=500)
    same = dict.fromkeys(("quality", "cost_usd", "latency_s", "ttft_s", "output_tokens"), 1.0)
    fits = [screen(pool, three_forecasts(pool, **same), RoutingOptions(), query=query) for query in (needed, more)]
    assert [found.eligible.tolist() for found in fits] == [[True, True, False, False], [True, False, False, False]]


def test_an_unpublished_window_is_not_held_against_a_model() -> None:
    pool = Pool([entry("a/a", context_tokens=None)])
    forecast = three_forecasts(
        pool, **dict.fromkeys(("quality", "cost_usd", "latency_s", "ttft_s", "output_tokens"), 1.0)
    )
    assert screen(pool, forecast, RoutingOptions()).eligible.all()


def test_what_the_request_itself_needs_is_added_to_the_constraints() -> None:
    query = Query(text="Call it.", input_tokens=10, max_output_tokens=10, needs=frozenset({"json_schema", "tools"}))
    assert eligible(query=query) == ["large"]


def test_globs_allow_and_deny_by_catalog_id() -> None:
    assert eligible(allow=("hill/*", "peak/*")) == ["middle", "large"]
    assert eligible(allow=("*",), deny=("*/large",)) == ["small", "middle"]


def test_who_is_down_is_not_eligible() -> None:
    pool = three_models()
    available = np.array([True, False, True])
    screening = screen(pool, three_forecasts(pool), RoutingOptions(), available=available)
    assert screening.constraints == ("available",)
    assert screening.eligible.tolist() == [True, False, True]


def test_a_conversation_bound_to_its_provider_stays_there() -> None:
    assert eligible(session=SessionState(backend_id="hill/middle@here", pinned=True)) == ["middle"]
    assert eligible(session=SessionState(backend_id="gone", pinned=True)) == []


def test_a_model_without_a_backend_has_no_region_no_privacy_and_no_tier() -> None:
    pool = Pool([entry("a/a")])
    forecast = three_forecasts(
        pool, **dict.fromkeys(("quality", "cost_usd", "latency_s", "ttft_s", "output_tokens"), 1.0)
    )
    for require in (
        Constraints(regions=frozenset({"eu"})),
        Constraints(privacy="no_training"),
        Constraints(tiers=frozenset({"cloud"})),
    ):
        assert not screen(pool, forecast, RoutingOptions(require=require)).eligible.any()


@given(st.floats(0, 0.02), st.floats(0, 5), st.floats(0, 1))
def test_no_eligible_candidate_breaks_an_amount(max_cost_usd: float, max_latency_s: float, min_quality: float) -> None:
    pool = three_models()
    forecast = three_forecasts(pool)
    require = Constraints(max_cost_usd=max_cost_usd, max_latency_s=max_latency_s, min_quality=min_quality)
    ok = screen(pool, forecast, RoutingOptions(require=require)).eligible
    assert (forecast.cost_usd[ok] <= max_cost_usd).all()
    assert (forecast.latency_s[ok] <= max_latency_s).all()
    assert (forecast.quality[ok] >= min_quality).all()


def test_of_requests_screened_together_each_has_its_own_checks() -> None:
    screener, options = Screener(three_models()), RoutingOptions(require=Constraints(max_cost_usd=0.005))
    asked = [
        RoutingRequest(query=ASKED, options=options),
        RoutingRequest(query=Query(text="long", input_tokens=7_900, max_output_tokens=101), options=options),
        RoutingRequest(
            query=Query(text="Call it.", input_tokens=10, needs=frozenset({"json_schema"})), options=options
        ),
        RoutingRequest(query=ASKED, options=options, session=SessionState(backend_id="hill/middle@here", pinned=True)),
    ]
    forecasts = Forecasts.of([three_forecasts(cost_usd=[0.0, 0.001, dear]) for dear in (0.01, 0.001, 0.001, 0.001)])
    found = screener.screen(asked, forecasts, screener.demands(options))
    assert [screening.constraints for screening in found] == [
        ("max_cost_usd",),
        ("context", "max_cost_usd"),
        ("needs", "max_cost_usd"),
        ("pinned", "max_cost_usd"),
    ]
    assert [screening.eligible.tolist() for screening in found] == [
        [True, True, False],
        [False, False, True],
        [False, False, True],
        [False, True, False],
    ]
