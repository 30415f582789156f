"""The whole decision, once more in plain Python: loops in place of arrays, from the definitions alone."""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import Pool
from predictors import Forecast, Query
from router import (
    PRESETS,
    Constraints,
    FixedForecasts,
    NoEligibleModelError,
    Router,
    RoutingOptions,
    SessionState,
    forecast_of,
)

from .examples import entry

ASKED = Query(text="Why?", input_tokens=100, max_output_tokens=50)
IN_SESSION = SessionState(backend_id="a/m0@here")
RATE, REACH, MARGIN = 0.3, 0.1, 0.05
SCALES = {"cost": (1e-5, 10.0), "latency": (0.1, 100.0), "size": (0.1, 1000.0), "energy": (1e-3, 10.0)}
SECURITY = {"local": 0.0, "no_retention": 0.5, "no_training": 0.75, "any": 1.0}


@dataclass(frozen=True)
class Expected:
    eligible: set[int]
    front: set[int]
    propensity: dict[int, float]  # of everybody who may be chosen
    value: list[float]


def expected(
    pool: Pool, forecast: Forecast, options: RoutingOptions, session: SessionState | None, *, rate: float = RATE
) -> Expected:
    policy, n = PRESETS[options.policy], len(pool)
    demands = (options.require, policy.require)
    eligible = {i for i in range(n) if all(fits(pool, forecast, require, i) for require in demands)}
    weights = {"quality": 1.0, **policy.weights, **options.weights}
    within = policy.quality_within
    if options.cost_quality_tradeoff is not None:
        knob, within = options.cost_quality_tradeoff, None
        weights |= {"quality": 1.0, "cost": 0.3 * knob / (10 - knob)} if knob < 10 else {"quality": 0.0, "cost": 1.0}
    quality = [forecast.quality[i] - policy.caution * forecast.quality_se[i] for i in range(n)]
    goals = {goal: column(goal, pool, forecast) for goal, weight in weights.items() if weight > 0 and goal != "quality"}
    value = [
        -weights["quality"] * (1 - quality[i]) - sum(weights[goal] * costs[i] for goal, costs in goals.items())
        for i in range(n)
    ]
    counts = [[1 - q for q in quality], column("cost", pool, forecast), *goals.values()]
    points = [tuple(count[i] for count in counts) for i in range(n)]
    front = {i for i in eligible if not any(beats(points[j], points[i]) for j in eligible)}
    best_quality = max((quality[i] for i in eligible), default=0.0)
    admitted = {i for i in eligible if within is None or quality[i] >= best_quality - within}
    if not eligible:
        return Expected(eligible, front, {}, value)
    best = max(sorted(front & admitted), key=lambda i: value[i])
    current = [i for i in admitted if session is not None and pool.backend_ids[i] == session.backend_id]
    if current and value[best] - value[current[0]] <= MARGIN:
        return Expected(eligible, front, {current[0]: 1.0}, value)
    if not options.explore:
        return Expected(eligible, front, {best: 1.0}, value)
    near = {i for i in admitted if value[i] >= value[best] - REACH} | {best}
    return Expected(eligible, front, {i: rate / len(near) + (1 - rate if i == best else 0.0) for i in near}, value)


def fits(pool: Pool, forecast: Forecast, require: Constraints, i: int) -> bool:
    one = pool.entries[i]
    assert one.backend is not None
    limits = [
        (require.max_cost_usd, forecast.cost_usd[i]),
        (require.max_latency_s, forecast.latency_s[i]),
        (require.max_params_b, one.profile.params_total_b),
    ]
    order = list(reversed(SECURITY))
    return (
        all(limit is None or (has is not None and has <= limit) for limit, has in limits)
        and (require.min_quality is None or forecast.quality[i] >= require.min_quality)
        and order.index(one.backend.privacy) >= order.index(require.privacy)
        and (one.profile.context_tokens is None or one.profile.context_tokens >= 150)
    )


def column(goal: str, pool: Pool, forecast: Forecast) -> list[float]:
    def told(i: int) -> float:
        one = pool.entries[i]
        assert one.backend is not None
        if goal == "security":
            return SECURITY[one.backend.privacy]
        energy, size = one.profile.energy_wh_per_mtok, one.profile.params_active_b or one.profile.params_total_b
        amount = {
            "cost": forecast.cost_usd[i],
            "latency": forecast.latency_s[i],
            "size": math.nan if size is None else size,
            "energy": math.nan if energy is None else energy * forecast.output_tokens[i] / 1e6,
        }[goal]
        floor, ceiling = SCALES[goal]
        return math.log(1 + amount / floor) / math.log(1 + ceiling / floor)

    known = [told(i) for i in range(len(pool))]
    worst = max([1.0, *(x for x in known if not math.isnan(x))])
    return [worst if math.isnan(x) else x for x in known]


def beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and one != other


def amounts(*values: float) -> st.SearchStrategy[float]:
    return st.sampled_from([*values, math.nan])


@st.composite
def cases(draw: st.DrawFn) -> tuple[Pool, Forecast, RoutingOptions, SessionState | None]:
    n = draw(st.integers(1, 6))
    pool = Pool(
        entry(
            f"a/m{i}",
            params_total_b=draw(st.sampled_from([None, 1.0, 8.0, 70.0])),
            energy_wh_per_mtok=draw(st.sampled_from([None, 100.0, 5_000.0])),
            context_tokens=draw(st.sampled_from([None, 100, 8_000])),
            backend={"privacy": draw(st.sampled_from(sorted(SECURITY)))},
        )
        for i in range(n)
    )

    def listed(values: st.SearchStrategy[float]) -> list[float]:
        return draw(st.lists(values, min_size=n, max_size=n))

    forecast = forecast_of(
        pool,
        quality=listed(st.sampled_from([0.0, 0.3, 0.72, 0.8, 0.83, 1.0])),
        quality_se=listed(st.sampled_from([0.0, 0.05, 0.34])),
        cost_usd=listed(amounts(0.0, 1e-4, 2e-4, 0.01, 5.0)),
        latency_s=listed(amounts(0.05, 1.0, 30.0)),
        output_tokens=listed(st.sampled_from([10.0, 500.0])),
    )
    options = RoutingOptions(
        policy=draw(st.sampled_from([*sorted(PRESETS), "cheap", "cheap"])),  # the one with `quality_within`
        weights=draw(st.sampled_from([{}, {"latency": 0.0}, {"size": 2.0}, {"quality": 0.0}, {"security": 0.4}])),
        cost_quality_tradeoff=draw(st.sampled_from([None, None, None, None, 0.0, 3.0, 10.0])),
        require=Constraints(
            max_cost_usd=draw(st.sampled_from([None, None, 0.0, 0.01])),
            max_latency_s=draw(st.sampled_from([None, None, 1.0])),
            max_params_b=draw(st.sampled_from([None, None, 8.0])),
            min_quality=draw(st.sampled_from([None, None, 0.72])),
        ),
        explore=draw(st.booleans()),
    )
    session = draw(st.sampled_from([None, IN_SESSION, IN_SESSION]))
    return pool, forecast, options, session


@settings(max_examples=300)
@given(case=cases(), seed=st.integers(0, 2**32 - 1))
def test_the_router_decides_as_the_definitions_say(
    case: tuple[Pool, Forecast, RoutingOptions, SessionState | None], seed: int
) -> None:
    pool, forecast, options, session = case
    router = Router(FixedForecasts(pool=pool, fixed=forecast), explore=RATE)
    found = expected(pool, forecast, options, session)
    try:
        decision = router.decide(ASKED, options, rng=np.random.default_rng(seed), session=session)
    except NoEligibleModelError:
        assert not found.eligible
        return
    chosen = decision.ranking[0]
    assert set(decision.ranking) == found.eligible
    assert set(decision.front) == found.front
    assert decision.value == pytest.approx(found.value)
    odds = found.propensity
    if chosen not in odds:  # rounding may tell two apart that are equal by the definitions, and only these
        assert min(abs(found.value[chosen] - found.value[i]) for i in odds) < 1e-12
        return
    assert decision.propensity == pytest.approx(odds[chosen])


@pytest.mark.parametrize("policy", sorted(PRESETS))
def test_under_every_policy_choices_are_as_frequent_as_their_propensities_say(policy: str) -> None:
    pool = Pool(
        entry(f"a/m{i}", params_total_b=8.0, energy_wh_per_mtok=100.0, backend={"privacy": "local"}) for i in range(4)
    )
    forecast = forecast_of(
        pool, quality=[0.8, 0.81, 0.82, 0.2], cost_usd=1e-4, latency_s=[1.0, 1.1, 1.2, 1.0], output_tokens=100.0
    )
    router, options = Router(FixedForecasts(pool=pool, fixed=forecast), explore=RATE), RoutingOptions(policy=policy)
    rng, draws, told = np.random.default_rng(7), 3_000, {}
    seen: Counter[int] = Counter()
    for _ in range(draws):
        decision = router.decide(ASKED, options, rng=rng)
        seen[decision.ranking[0]] += 1
        told[decision.ranking[0]] = decision.propensity
    assert told == pytest.approx(expected(pool, forecast, options, None).propensity)
    for chosen, share in told.items():
        assert seen[chosen] / draws == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / draws))
