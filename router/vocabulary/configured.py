"""Policies that somebody wrote down, as `[policies.NAME]` of a configuration holds them: a preset, turned."""

from collections.abc import Mapping
from dataclasses import fields, replace
from types import MappingProxyType

from router.choice.preferences import resolve
from router.errors import InvalidRoutingError
from router.wishes.constraints import Constraints
from router.wishes.policy import Policy
from router.wishes.presets import PRESETS

from .flags import read_options
from .values import known_keys, mapping

__all__ = ["configured_policies"]

_TURNS = ("weights", "cost_quality_tradeoff", "require")
_BASE = "balanced"


def configured_policies(table: Mapping[str, object]) -> dict[str, Policy]:
    """Policies by name.

    Args:
        table: what stands under `policies`: per name `base` (a preset, `balanced` where left out) and any of
            `weights`, `cost_quality_tradeoff` and `require`, as a request's `routing` object has them.

    Raises:
        InvalidRoutingError: naming the policy and the key.
    """
    return {name: _policy(item, f"policies.{name}") for name, item in table.items()}


def _policy(item: object, field: str) -> Policy:
    given = mapping(item, field)
    known_keys(given, field, ("base", *_TURNS))
    base = given.get("base", _BASE)
    said = {"policy": base, **{key: given[key] for key in _TURNS if given.get(key) not in (None, {})}}
    try:
        options = read_options(model="auto", body={"routing": said}, headers={}).options
        turned = resolve(options, {})
    except InvalidRoutingError as exc:
        raise InvalidRoutingError(field=f"{field}.{_key(exc.field)}", problem=exc.problem) from exc
    return Policy(
        weights=MappingProxyType({"quality": turned.quality_weight, **turned.lambdas}),
        caution=turned.caution,
        quality_within=turned.quality_within,
        require=_both(PRESETS[str(base)].require, options.require),
    )


def _key(field: str) -> str:
    """The key as it was written here; what a request calls `routing.policy` is `base` here."""
    key = field.removeprefix("routing.")
    return "base" if key == "policy" else key


def _both(base: Constraints, own: Constraints) -> Constraints:
    """The preset's constraints, with one's own above them."""
    nothing = Constraints()
    stated = {
        f.name: getattr(own, f.name) for f in fields(Constraints) if getattr(own, f.name) != getattr(nothing, f.name)
    }
    return replace(base, **stated)
