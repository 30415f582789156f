import pytest

from router import PRESETS, InvalidRoutingError, configured_policies


def test_a_policy_is_a_preset_turned() -> None:
    table = {"frugal": {"weights": {"cost": 0.5}, "require": {"max_cost_usd": 0.01}}}
    frugal = configured_policies(table)["frugal"]
    assert frugal.weights["cost"] == 0.5
    assert frugal.weights["latency"] == PRESETS["balanced"].weights["latency"]
    assert frugal.require.max_cost_usd == 0.01


def test_a_policy_that_turns_nothing_is_its_preset() -> None:
    same = configured_policies({"same": {"base": "private"}})["same"]
    assert same.require == PRESETS["private"].require
    assert {goal: weight for goal, weight in same.weights.items() if goal != "quality"} == PRESETS["private"].weights


@pytest.mark.parametrize(
    ("item", "named"),
    [
        ({"base": "nonsense"}, "policies.mine.base"),
        ({"weight": {}}, "policies.mine.weight"),
        ({"weights": {"beauty": 1.0}}, "policies.mine.weights.beauty"),
        ({"require": {"max_price": 1}}, "policies.mine.require.max_price"),
        ({"cost_quality_tradeoff": 11}, "policies.mine.cost_quality_tradeoff"),
        ("cheap", "policies.mine"),
    ],
)
def test_the_key_that_is_wrong_is_named(item: object, named: str) -> None:
    with pytest.raises(InvalidRoutingError) as caught:
        configured_policies({"mine": item})
    assert caught.value.field == named
