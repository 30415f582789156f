import pytest

from router import GOALS, PRESETS


def test_the_seven_presets_are_there() -> None:
    assert set(PRESETS) == {"best", "balanced", "cheap", "fast", "small", "green", "private"}


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_weighs_known_goals_alone(name: str) -> None:
    assert set(PRESETS[name].weights) <= set(GOALS)


def test_private_holds_its_promise_by_a_constraint_not_by_a_weight() -> None:
    assert PRESETS["private"].require.privacy == "no_retention"
