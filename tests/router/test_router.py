from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import Pool
from predictors import Forecast, Load, OneByOne, Query
from router import (
    Constraints,
    Decider,
    Decision,
    FixedForecasts,
    InvalidRoutingError,
    NoEligibleModelError,
    Policy,
    Router,
    RoutingError,
    RoutingOptions,
    RoutingRequest,
    SessionState,
    explain,
    forecast_of,
    non_dominated,
)

from .examples import LARGE, MIDDLE, SMALL, entry, three_forecasts, three_model_router, three_models

ASKED = Query(text="Why is the sky blue?", input_tokens=100, max_output_tokens=200)


def decide(options: RoutingOptions, *, router: Router | None = None, **more: object) -> Decision:
    return (router or three_model_router()).decide(ASKED, options, rng=np.random.default_rng(0), **more)


def test_the_router_is_a_decider() -> None:
    decider: Decider = three_model_router()
    assert decider.decide(ASKED, RoutingOptions(), rng=np.random.default_rng(0)).ranking


def test_the_best_policy_takes_the_best_and_falls_back_by_utility() -> None:
    decision = decide(RoutingOptions(policy="best"))
    assert decision.ranking == (LARGE, MIDDLE, SMALL)
    assert (decision.reason, decision.propensity, decision.explored) == ("pareto", 1.0, False)


def test_the_best_under_a_price_is_a_constraint_and_a_policy() -> None:
    decision = decide(RoutingOptions(policy="best", require=Constraints(max_cost_usd=0.002)))
    assert decision.ranking == (MIDDLE, SMALL)


def test_the_cheapest_above_a_quality_is_a_constraint_and_the_knob_at_cost() -> None:
    decision = decide(RoutingOptions(cost_quality_tradeoff=10, require=Constraints(min_quality=0.7)))
    assert decision.ranking[0] == MIDDLE


def test_cheap_means_the_cheapest_that_is_not_clearly_worse_than_the_best() -> None:
    decision = decide(RoutingOptions(policy="cheap"))
    assert decision.ranking == (MIDDLE, LARGE, SMALL)  # 0.8 is within 0.15 of 0.9, 0.6 is not and comes last


def test_private_never_sends_a_prompt_to_somebody_who_keeps_it() -> None:
    decision = decide(RoutingOptions(policy="private"))
    assert LARGE not in decision.ranking


def test_an_operators_policy_brings_its_own_constraints() -> None:
    router = three_model_router(policies={"frugal": Policy(require=Constraints(max_cost_usd=0.002))})
    assert decide(RoutingOptions(policy="frugal"), router=router).ranking == (MIDDLE, SMALL)


def test_a_dominated_model_is_off_the_front_yet_may_be_a_fallback() -> None:
    router = three_model_router(quality=[0.6, 0.5, 0.9], latency_s=[1.0, 2.0, 2.0])
    decision = decide(RoutingOptions(policy="best"), router=router)
    assert decision.front == (SMALL, LARGE)
    assert decision.ranking == (LARGE, SMALL, MIDDLE)


def test_among_equally_good_models_the_cheapest_is_chosen() -> None:
    router = three_model_router(quality=[0.6, 0.9, 0.9])
    assert decide(RoutingOptions(policy="best"), router=router).ranking[0] == MIDDLE


def test_one_candidate_alone_is_no_choice() -> None:
    decision = decide(RoutingOptions(allow=("hill/*",)))
    assert (decision.ranking, decision.reason) == ((MIDDLE,), "only_candidate")


def test_without_fallbacks_only_the_same_model_may_answer_elsewhere() -> None:
    pool = Pool(
        [
            entry("a/a", backend={"id": "dear"}),
            entry("a/a", backend={"id": "fair"}),
            entry("b/b", backend={"id": "other"}),
        ]
    )
    forecast = forecast_of(pool, quality=[0.9, 0.9, 0.5], cost_usd=[0.02, 0.01, 0.001])
    router = Router(FixedForecasts(pool=pool, fixed=forecast), explore=0.0)
    assert decide(RoutingOptions(policy="best"), router=router).ranking == (1, 0, 2)
    assert decide(RoutingOptions(policy="best", allow_fallbacks=False), router=router).ranking == (1, 0)


def test_the_callers_own_order_comes_before_the_ranking() -> None:
    decision = decide(RoutingOptions(policy="best", order=("meadow/small", "hill")))
    assert (decision.ranking, decision.reason) == ((SMALL, MIDDLE, LARGE), "order")


def test_the_callers_own_order_is_not_explored_away_from() -> None:
    router = three_model_router(explore=1.0, quality=[0.88, 0.89, 0.9], cost_usd=0.001, latency_s=1.0)
    rng = np.random.default_rng(5)
    options = RoutingOptions(policy="best", order=("peak/large",))
    decisions = [router.decide(ASKED, options, rng=rng) for _ in range(30)]
    assert {(d.ranking[0], d.propensity, d.explored) for d in decisions} == {(LARGE, 1.0, False)}


def test_an_ineligible_model_is_not_tried_even_where_the_caller_put_it_first() -> None:
    decision = decide(RoutingOptions(order=("peak/large", "hill/middle"), require=Constraints(max_cost_usd=0.002)))
    assert decision.ranking == (MIDDLE, SMALL)


def test_the_propensities_of_all_choices_sum_to_one_and_are_the_frequencies_of_the_choices() -> None:
    router = three_model_router(explore=0.3, quality=[0.85, 0.88, 0.9], cost_usd=0.001, latency_s=1.0)
    rng, stated, n = np.random.default_rng(1), {}, 20_000
    seen: Counter[int] = Counter()
    for _ in range(n):
        decision = router.decide(ASKED, RoutingOptions(policy="best"), rng=rng)
        seen[decision.ranking[0]] += 1
        stated[decision.ranking[0]] = decision.propensity
    assert stated == pytest.approx({LARGE: 0.8, MIDDLE: 0.1, SMALL: 0.1})  # 1 - 0.3 + 0.3 / 3, and 0.3 / 3 each
    assert sum(stated.values()) == pytest.approx(1.0)
    for chosen, propensity in stated.items():
        assert seen[chosen] / n == pytest.approx(propensity, abs=4 * (propensity * (1 - propensity) / n) ** 0.5)


def test_exploration_stays_near_the_best_and_within_the_constraints() -> None:
    router = three_model_router(explore=1.0, quality=[0.85, 0.6, 0.9], cost_usd=0.001, latency_s=1.0)
    rng = np.random.default_rng(2)
    options = RoutingOptions(policy="best", deny=("meadow/*",))
    chosen = {router.decide(ASKED, options, rng=rng).ranking[0] for _ in range(100)}
    assert chosen == {LARGE}  # middle is 0.3 worse, small is denied


def test_an_explored_choice_says_so_and_falls_back_to_the_best() -> None:
    router = three_model_router(explore=1.0, quality=[0.85, 0.5, 0.9], cost_usd=0.001, latency_s=1.0)
    rng = np.random.default_rng(3)
    decisions = [router.decide(ASKED, RoutingOptions(policy="best"), rng=rng) for _ in range(50)]
    explored = [d for d in decisions if d.ranking[0] == SMALL]
    assert explored
    assert all((d.explored, d.reason, d.propensity, d.ranking[1]) == (True, "explored", 0.5, LARGE) for d in explored)


def test_a_caller_may_refuse_to_be_explored_on() -> None:
    router = three_model_router(explore=1.0, quality=[0.85, 0.88, 0.9])
    rng = np.random.default_rng(4)
    options = RoutingOptions(policy="best", explore=False)
    assert {router.decide(ASKED, options, rng=rng).ranking[0] for _ in range(50)} == {LARGE}


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(InvalidRoutingError, match="there is no policy 'nice'"):
        decide(RoutingOptions(policy="nice"))


def test_when_nobody_qualifies_the_error_counts_the_rejections_and_names_who_comes_closest() -> None:
    require = Constraints(min_quality=0.85, max_cost_usd=0.008)
    with pytest.raises(NoEligibleModelError) as caught:
        decide(RoutingOptions(require=require))
    assert caught.value.rejections == {"max_cost_usd": 1, "min_quality": 2}
    assert caught.value.closest == {"id": "hill/middle", "constraint": "min_quality", "relax_to": 0.8, "also": []}
    assert "hill/middle comes closest, its min_quality is 0.8" in str(caught.value)


def test_when_nobody_can_do_what_a_request_needs_the_error_says_what_the_closest_can() -> None:
    with pytest.raises(NoEligibleModelError) as caught:
        decide(RoutingOptions(require=Constraints(capabilities=frozenset({"audio"}))))
    assert "comes closest, which can only do streaming, not audio" in str(caught.value)
    assert caught.value.closest is not None
    assert caught.value.closest["lacks"] == ["audio"]


def test_a_fact_that_nobody_has_is_named_with_the_way_to_add_it() -> None:
    with pytest.raises(NoEligibleModelError) as caught:
        decide(RoutingOptions(require=Constraints(max_agent_risk=0.9)))
    assert caught.value.unknown == ("max_agent_risk",)
    assert "max_agent_risk: nobody here has that fact" in str(caught.value)
    assert "paretogate catalog risk" in str(caught.value)
    with pytest.raises(NoEligibleModelError) as known:
        decide(RoutingOptions(require=Constraints(min_quality=0.999)))
    assert known.value.unknown == ()


def test_an_empty_pool_has_nobody_to_offer() -> None:
    pool = Pool([])
    router = Router(FixedForecasts(pool=pool, fixed=forecast_of(pool)))
    with pytest.raises(NoEligibleModelError, match="the pool is empty"):
        decide(RoutingOptions(), router=router)


@pytest.mark.parametrize(
    ("on_infeasible", "chosen", "relaxed"), [("closest", MIDDLE, "min_quality"), ("cheapest", SMALL, "min_quality")]
)
def test_a_caller_who_rather_has_somebody_learns_what_gave_way(on_infeasible: str, chosen: int, relaxed: str) -> None:
    require = Constraints(min_quality=0.85, max_cost_usd=0.008)
    decision = decide(RoutingOptions(require=require, on_infeasible=on_infeasible))
    assert (decision.ranking[0], decision.relaxed, decision.reason) == (chosen, relaxed, f"{on_infeasible}_relaxed")
    assert decision.propensity == 1.0


def test_who_has_no_known_price_is_further_from_a_limit_of_nothing_than_who_has_one() -> None:
    router = three_model_router(cost_usd=[np.nan, 0.001, 0.01])
    nothing = RoutingOptions(require=Constraints(max_cost_usd=0.0), on_infeasible="closest")
    assert decide(nothing, router=router).ranking == (MIDDLE, LARGE, SMALL)
    with pytest.raises(NoEligibleModelError, match="hill/middle comes closest, its max_cost_usd is"):
        decide(replace(nothing, on_infeasible="fail"), router=router)


def test_a_boundary_never_gives_way() -> None:
    require = Constraints(min_quality=0.85, regions=frozenset({"eu"}))
    decision = decide(RoutingOptions(require=require, on_infeasible="closest"))
    assert (decision.ranking, decision.relaxed) == ((MIDDLE, SMALL), "min_quality")
    with pytest.raises(NoEligibleModelError):
        decide(RoutingOptions(require=Constraints(regions=frozenset({"mars"})), on_infeasible="cheapest"))


def test_a_conversation_keeps_its_model_unless_moving_gains_more_than_the_margin() -> None:
    router = three_model_router(quality=[0.5, 0.86, 0.9])
    staying = decide(RoutingOptions(policy="best"), router=router, session=SessionState(backend_id="hill/middle@here"))
    leaving = decide(RoutingOptions(policy="best"), router=router, session=SessionState(backend_id="meadow/small@here"))
    assert (staying.ranking, staying.reason) == ((MIDDLE, LARGE, SMALL), "session")
    assert (leaving.ranking[0], leaving.reason) == (LARGE, "pareto")


def test_a_conversation_is_not_explored_on_while_it_stays() -> None:
    router = three_model_router(explore=1.0, quality=[0.88, 0.89, 0.9])
    decision = decide(RoutingOptions(policy="best"), router=router, session=SessionState(backend_id="peak/large@here"))
    assert (decision.ranking[0], decision.propensity) == (LARGE, 1.0)


def test_a_conversation_leaves_a_model_that_may_no_longer_answer() -> None:
    session = SessionState(backend_id="peak/large@here")
    decision = decide(RoutingOptions(require=Constraints(max_cost_usd=0.002)), session=session)
    assert LARGE not in decision.ranking


def test_a_conversation_leaves_a_model_that_became_clearly_worse_than_the_best_where_the_policy_admits_none() -> None:
    session = SessionState(backend_id="meadow/small@here")  # free: `cheap` would follow its price to any depth
    easy, hard = three_model_router(quality=[0.8, 0.85, 0.9]), three_model_router(quality=[0.1, 0.85, 0.9])
    assert decide(RoutingOptions(policy="cheap"), router=easy, session=session).ranking[0] == SMALL
    assert decide(RoutingOptions(policy="cheap"), router=hard, session=session).ranking[0] == MIDDLE


@pytest.mark.parametrize(
    "wish",
    [{"willingness_to_pay_usd": 1e-320}, {"weights": dict.fromkeys(("cost", "latency", "verbosity"), 1.7e308)}],
)
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_weights_beyond_measure_choose_nobody_who_breaks_a_constraint(wish: dict[str, object]) -> None:
    router = three_model_router(cost_usd=[0.0001, 0.001, 0.01])
    decision = decide(RoutingOptions(**wish, deny=("meadow/*",)), router=router)
    assert set(decision.ranking) == {MIDDLE, LARGE}


@st.composite
def cases(draw: st.DrawFn) -> tuple[Router, RoutingOptions]:
    n = draw(st.integers(1, 7))
    pool = Pool([entry(f"maker/m{i}", backend={}) for i in range(n)])

    def column(most: float) -> st.SearchStrategy[list[float]]:
        return st.lists(st.sampled_from([most * k / 4 for k in range(5)]), min_size=n, max_size=n)

    forecast = forecast_of(
        pool, quality=draw(column(1.0)), cost_usd=draw(column(0.1)), latency_s=draw(column(10.0)), output_tokens=10.0
    )
    options = RoutingOptions(
        policy=draw(st.sampled_from(["best", "balanced", "cheap", "fast"])),
        require=Constraints(
            max_cost_usd=draw(st.none() | st.sampled_from([0.0, 0.05, 0.1])),
            min_quality=draw(st.none() | st.sampled_from([0.25, 0.5])),
            max_latency_s=draw(st.none() | st.sampled_from([2.5, 5.0])),
        ),
        explore=draw(st.booleans()),
    )
    return Router(FixedForecasts(pool=pool, fixed=forecast), explore=0.5), options


@settings(max_examples=150)
@given(cases(), st.integers(0, 2**32 - 1))
def test_the_choice_is_never_dominated_and_nobody_in_the_ranking_breaks_a_constraint(
    case: tuple[Router, RoutingOptions], seed: int
) -> None:
    router, options = case
    forecast, require = router.source.forecast(ASKED), options.require
    try:
        decision = router.decide(ASKED, options, rng=np.random.default_rng(seed))
    except NoEligibleModelError:
        return
    ranked = list(decision.ranking)
    assert sorted(ranked) == np.flatnonzero(decision.screening.eligible).tolist()
    assert require.max_cost_usd is None or (forecast.cost_usd[ranked] <= require.max_cost_usd).all()
    assert require.min_quality is None or (forecast.quality[ranked] >= require.min_quality).all()
    assert require.max_latency_s is None or (forecast.latency_s[ranked] <= require.max_latency_s).all()
    if not decision.explored:
        assert ranked[0] in decision.front
        in_play = np.array([forecast.cost_usd, -forecast.quality, forecast.latency_s])[:, ranked]
        assert options.policy in {"best", "cheap"} or non_dominated(in_play)[0]
        assert non_dominated(in_play[:2])[0] or options.policy not in {"best", "cheap"}


class ByTheText(OneByOne):
    """Quality as the query's text says it, so that every request has a forecast of its own."""

    version = "by-the-text"

    def __init__(self) -> None:
        self.pool = three_models()

    def forecast(self, query: Query, *, load: Load | None = None) -> Forecast:
        waits = 10.0 if load is not None and load.running else 0.0
        return three_forecasts(self.pool, quality=[0.6, 0.8, float(query.text)], latency_s=[1.0, 2.0 + waits, 4.0])


WISHES = [
    RoutingOptions(),
    RoutingOptions(policy="best"),
    RoutingOptions(policy="thrifty"),  # there is none
    RoutingOptions(require=Constraints(max_cost_usd=0.005), explore=False),
    RoutingOptions(policy="fast", weights={"size": 0.1}),
    RoutingOptions(require=Constraints(min_quality=0.99)),  # nobody
    RoutingOptions(require=Constraints(min_quality=0.99), on_infeasible="closest"),
    RoutingOptions(order=("hill/*",), allow_fallbacks=False),
]


@settings(max_examples=60)
@given(
    requests=st.lists(st.tuples(st.floats(0.0, 1.0), st.sampled_from(WISHES), st.booleans()), min_size=1, max_size=12),
    busy=st.booleans(),
)
def test_requests_decided_together_are_decided_as_if_each_had_come_alone(
    requests: list[tuple[float, RoutingOptions, bool]], *, busy: bool
) -> None:
    router = Router(ByTheText(), explore=0.5)
    session = SessionState(backend_id="hill/middle@here", cached_tokens=500)
    asked = [
        RoutingRequest(
            query=Query(text=str(quality), input_tokens=1_000), options=options, session=session if talks else None
        )
        for quality, options, talks in requests
    ]
    load, together, alone = Load(running={"x": 1.0} if busy else {}), np.random.default_rng(1), np.random.default_rng(1)
    for one, outcome in zip(asked, router.decide_all(asked, rng=together, load=load), strict=True):
        if isinstance(outcome, RoutingError):
            with pytest.raises(type(outcome)) as caught:
                router.decide(one.query, one.options, rng=alone, session=one.session, load=load)
            assert str(caught.value) == str(outcome)
            continue
        expected = router.decide(one.query, one.options, rng=alone, session=one.session, load=load)
        assert (outcome.ranking, outcome.front, outcome.reason, outcome.relaxed, outcome.propensity) == (
            expected.ranking, expected.front, expected.reason, expected.relaxed, expected.propensity,
        )  # fmt: skip
        np.testing.assert_allclose(outcome.utility, expected.utility, rtol=1e-12)
        assert explain(outcome, one.options) == explain(expected, one.options)
    assert together.bit_generator.state == alone.bit_generator.state


def test_nothing_is_drawn_for_a_request_whose_decision_nobody_takes() -> None:
    router, rng, once = Router(ByTheText(), explore=0.5), np.random.default_rng(0), np.random.default_rng(0)
    asked = [RoutingRequest(query=Query(text="0.81", input_tokens=10), options=RoutingOptions(policy="best"))] * 3
    next(router.decide_all(asked, rng=rng))
    next(router.decide_all(asked[:1], rng=once))
    assert rng.bit_generator.state == once.bit_generator.state
