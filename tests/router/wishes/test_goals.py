"""Costs on scales that do not depend on who else is there; and what raising a weight does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictors import Query
from router import RoutingOptions, forecast_of
from router.wishes.goals import GOALS, Goals
from tests.router.examples import three_forecasts, three_model_router, three_models

COSTS = [goal for goal in GOALS if goal != "quality"]


def test_a_free_call_costs_nothing_and_ten_dollars_cost_one() -> None:
    column = Goals(three_models()).column("cost", three_forecasts(cost_usd=[0.0, 10.0, 100.0]))
    np.testing.assert_allclose(column[:2], [0.0, 1.0])
    assert column[2] > 1  # the scale goes on: of two dear ones the dearer is the worse


def test_a_tenfold_price_is_a_sixth_of_the_scale_wherever_it_begins() -> None:
    column = Goals(three_models()).column("cost", three_forecasts(cost_usd=[0.01, 0.1, 1.0]))
    np.testing.assert_allclose(np.diff(column), 1 / 6, atol=0.001)


def test_an_unknown_fact_is_as_bad_as_the_worst_known_one() -> None:
    size = Goals(three_models()).column("size", three_forecasts())  # nobody knows how large the third is
    assert size[2] == size[:2].max() or size[2] == 1.0
    assert size[0] < size[1]


def test_what_nobody_tells_of_any_candidate_is_known_to_be_so() -> None:
    goals = Goals(three_models())
    told = {goal for goal in GOALS if goals.tells(goal, three_forecasts(cost_usd=[0.1, float("nan"), 1.0]))}
    assert {"quality", "cost", "size"} <= told
    nothing = forecast_of(goals.pool)
    assert not any(goals.tells(goal, nothing) for goal in ("cost", "latency", "verbosity", "energy"))


@pytest.mark.parametrize("goal", COSTS)
@settings(max_examples=25)
@given(low=st.floats(0, 2), more=st.floats(0, 2), quality=st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_raising_the_weight_of_a_goal_never_raises_that_cost_of_the_choice(
    goal: str, low: float, more: float, quality: list[float]
) -> None:
    router, query = three_model_router(quality=quality), Query(text="x", input_tokens=10)
    costs = Goals(router.source.pool).column(goal, three_forecasts(quality=quality))
    light, heavy = (
        router.decide(
            query, RoutingOptions(policy="best", weights={goal: w}, explore=False), rng=np.random.default_rng(0)
        )
        for w in (low, low + more)
    )
    assert costs[heavy.ranking[0]] <= costs[light.ranking[0]] + 1e-9
