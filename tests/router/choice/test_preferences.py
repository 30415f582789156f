import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import InvalidRoutingError, Policy, RoutingOptions
from router.choice.preferences import Valuer, resolve, weighted_loss
from tests.router.examples import LARGE, MIDDLE, SMALL, three_forecasts, three_models

LOSS, SIZE = np.array([2.0, 1.6, 1.5]), np.array([[0.0, 0.5, 1.0]])  # A, B, C of Tryage's table


@pytest.mark.parametrize(
    ("weight", "losses", "choice"),
    [
        (0.0, [2.00, 1.60, 1.50], "C"),
        (0.3, [2.00, 1.75, 1.80], "B"),
        (0.5, [2.00, 1.85, 2.00], "B"),
        (1.0, [2.00, 2.10, 2.50], "A"),
    ],
)
def test_the_weighted_sum_is_the_one_of_tryages_table(weight: float, losses: list[float], choice: str) -> None:
    weighted = weighted_loss(LOSS, SIZE, np.array([weight]))
    assert weighted.tolist() == pytest.approx(losses)
    assert "ABC"[int(np.argmin(weighted))] == choice


@pytest.mark.parametrize(("below", "above", "at"), [("C", "B", 0.2), ("B", "A", 0.8)])
def test_tryages_choice_changes_at_0_2_and_at_0_8(below: str, above: str, at: float) -> None:
    choices = ["ABC"[int(np.argmin(weighted_loss(LOSS, SIZE, np.array([w]))))] for w in (at - 1e-9, at + 1e-9)]
    assert choices == [below, above]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8), st.floats(0, 5), st.floats(0, 5))
def test_raising_a_weight_never_raises_the_cost_of_the_choice(
    models: list[tuple[float, float]], weight: float, more: float
) -> None:
    loss, cost = np.array(models).T
    chosen = [
        cost[np.lexsort((cost, weighted_loss(loss, cost[None], np.array([w]))))[0]] for w in (weight, weight + more)
    ]
    assert chosen[1] <= chosen[0] + 1e-9


def best(options: RoutingOptions, **columns: float | list[float]) -> int:
    pool = three_models()
    valuation = Valuer(pool).value(three_forecasts(pool, **columns), resolve(options, {}))
    return int(np.argmax(valuation.utility))


def test_balanced_sends_an_easy_prompt_to_the_cheap_model_and_a_hard_one_to_the_strong() -> None:
    easy, hard = [0.93, 0.94, 0.95], [0.2, 0.5, 0.8]
    assert best(RoutingOptions(), quality=easy) == SMALL
    assert best(RoutingOptions(), quality=hard) == LARGE


def test_an_absurdly_dear_model_in_the_pool_changes_nothing_between_the_others() -> None:
    usual = best(RoutingOptions(), quality=[0.6, 0.8, 0.1], cost_usd=[0.0001, 0.001, 0.01])
    beside = best(RoutingOptions(), quality=[0.6, 0.8, 0.1], cost_usd=[0.0001, 0.001, 1_000.0])
    assert usual == beside == MIDDLE


def test_the_knob_reaches_from_the_best_to_the_cheapest_and_balances_in_the_middle() -> None:
    assert best(RoutingOptions(cost_quality_tradeoff=0)) == LARGE
    assert best(RoutingOptions(cost_quality_tradeoff=10)) == SMALL
    middle, balanced = (
        resolve(o, {}).lambdas["cost"] for o in (RoutingOptions(cost_quality_tradeoff=5), RoutingOptions())
    )
    assert middle == balanced


@given(st.floats(0, 10), st.floats(0, 10))
def test_turning_the_knob_towards_cost_never_makes_the_choice_dearer(one: float, other: float) -> None:
    cost = [0.0, 0.001, 0.01]
    gentle, strict = sorted((one, other))
    chosen = [cost[best(RoutingOptions(policy="best", cost_quality_tradeoff=k))] for k in (gentle, strict)]
    assert chosen[1] <= chosen[0]


def test_willing_to_pay_a_dollar_for_a_point_means_weighing_dollars_as_they_are() -> None:
    # large gains 0.1 over middle for $0.009: worth it at $0.10 for a whole point, not at $0.05
    assert best(RoutingOptions(policy="best", willingness_to_pay_usd=0.10)) == LARGE
    assert best(RoutingOptions(policy="best", willingness_to_pay_usd=0.05)) == MIDDLE


def test_an_uncertain_forecast_counts_for_less() -> None:
    sure = best(RoutingOptions(policy="best"), quality=[0.6, 0.80, 0.82], quality_se=[0.0, 0.0, 0.0])
    unsure = best(RoutingOptions(policy="best"), quality=[0.6, 0.80, 0.82], quality_se=[0.0, 0.0, 0.1])
    assert (sure, unsure) == (LARGE, MIDDLE)  # 0.82 - 0.5 x 0.1 = 0.77


def test_the_callers_weights_go_over_the_policys() -> None:
    preferences = resolve(RoutingOptions(policy="balanced", weights={"size": 1.0, "latency": 0.0}), {})
    assert dict(preferences.lambdas) == {"cost": 0.3, "size": 1.0}


@pytest.mark.parametrize(
    ("goal", "favourite"),
    [
        ("size", SMALL),
        ("recency", LARGE),
        ("security", SMALL),
        ("verbosity", SMALL),
        ("readability", SMALL),  # the only one whose readability is known
        ("latency", SMALL),
        ("energy", MIDDLE),  # the only one whose energy is known
        ("risk", LARGE),
        ("cost", SMALL),
    ],
)
def test_every_goal_can_decide(goal: str, favourite: int) -> None:
    assert best(RoutingOptions(policy="best", weights={goal: 100.0})) == favourite


def test_an_operators_policy_may_take_the_place_of_a_preset() -> None:
    preferences = resolve(RoutingOptions(policy="best"), {"best": Policy(weights={"cost": 0.5})})
    assert dict(preferences.lambdas) == {"cost": 0.5}


def test_an_unknown_policy_is_refused_by_name() -> None:
    with pytest.raises(InvalidRoutingError, match="there is no policy 'thrifty'; choose from balanced, best"):
        resolve(RoutingOptions(policy="thrifty"), {})


@pytest.mark.parametrize("weights", [{"beauty": 1.0}, {"cost": -1.0}, {"cost": float("nan")}])
def test_a_policy_with_a_meaningless_weight_cannot_be_built(weights: dict[str, float]) -> None:
    with pytest.raises(InvalidRoutingError, match="weights"):
        Policy(weights=weights)
