"""Policies that an operator configured, out of `[policies.NAME]`: a preset, turned."""

from collections.abc import Mapping
from dataclasses import fields, replace
from types import MappingProxyType

from router import PRESETS, Constraints, InvalidRoutingError, Policy, read_options
from router.preferences import resolve

from .settings import InvalidSettingsError, PolicySettings

__all__ = ["configured_policies"]


def configured_policies(given: Mapping[str, PolicySettings]) -> dict[str, Policy]:
    """The operator's policies by name.

    Raises:
        InvalidSettingsError: naming the policy and the key.
    """
    return {name: _policy(name, item) for name, item in given.items()}


def _policy(name: str, item: PolicySettings) -> Policy:
    wish = {
        "policy": item.base,
        "weights": item.weights or None,
        "cost_quality_tradeoff": item.cost_quality_tradeoff,
        "require": item.require or None,
    }
    said = {key: value for key, value in wish.items() if value is not None}
    try:
        options = read_options(model="auto", body={"routing": said}, headers={}).options
        turned = resolve(options, {})
    except InvalidRoutingError as exc:
        raise InvalidSettingsError(f"policies.{name}.{exc}") from exc
    return Policy(
        weights=MappingProxyType({"quality": turned.quality_weight, **turned.lambdas}),
        caution=turned.caution,
        quality_within=turned.quality_within,
        require=_both(PRESETS[item.base].require, options.require),
    )


def _both(base: Constraints, own: Constraints) -> Constraints:
    """The preset's constraints, with the operator's own above them."""
    nothing = Constraints()
    stated = {
        f.name: getattr(own, f.name) for f in fields(Constraints) if getattr(own, f.name) != getattr(nothing, f.name)
    }
    return replace(base, **stated)
