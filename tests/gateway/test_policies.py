import pytest

from gateway.policies import configured_policies
from gateway.settings import InvalidSettingsError, PolicySettings


def test_a_policy_is_a_preset_turned() -> None:
    given = {"frugal": PolicySettings(base="balanced", weights={"cost": 0.5}, require={"max_cost_usd": 0.01})}
    frugal = configured_policies(given)["frugal"]
    assert frugal.weights["cost"] == 0.5
    assert frugal.weights["latency"] == 0.03  # balanced's own
    assert frugal.require.max_cost_usd == 0.01


def test_a_presets_own_constraint_stays() -> None:
    given = {"mine": PolicySettings(base="private", require={"max_cost_usd": 0.01})}
    assert configured_policies(given)["mine"].require.privacy == "no_retention"


@pytest.mark.parametrize(
    "item",
    [
        PolicySettings(base="nonsense"),
        PolicySettings(weights={"beauty": 1.0}),
        PolicySettings(require={"max_price": 1}),
    ],
)
def test_a_wrong_policy_is_named(item: PolicySettings) -> None:
    with pytest.raises(InvalidSettingsError, match=r"policies\.mine"):
        configured_policies({"mine": item})
