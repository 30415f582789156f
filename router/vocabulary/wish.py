"""The canonical keys of a routing wish, each with the reader of its value; every dialect is translated into these.

A wish is a flat mapping: `policy`, `weights`, `order`, `require.max_cost_usd` ... so that sources merge key by key.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, cast, get_args

from catalog import CAPABILITIES, DeploymentTier, PrivacyTier
from router.errors import InvalidRoutingError
from router.wishes.constraints import Constraints
from router.wishes.goals import GOALS
from router.wishes.options import OnInfeasible, RoutingOptions

from .values import boolean, choice, day, known_keys, mapping, names, number, strings, text

__all__ = [
    "REQUIRE_KEYS",
    "Wish",
    "combined",
    "options_of",
    "read_require",
    "read_routing",
    "require_from_text",
    "willingness",
]

Wish = dict[str, object]
Reader = Callable[[object, str], object]

_share = partial(number, most=1.0)


def _confidence(value: object, field: str) -> float:
    confidence = number(value, field)
    if not 0.0 < confidence < 1.0:
        raise InvalidRoutingError(field=field, problem=f"must lie strictly between 0 and 1, not {confidence:g}")
    return confidence


def willingness(value: object, field: str) -> float:
    """Dollars for one whole point of quality; above 0."""
    amount = number(value, field)
    if amount == 0.0:
        raise InvalidRoutingError(field=field, problem="must be above 0; for cost alone say policy cheap")
    return amount


def _context(value: object, field: str) -> int:
    return int(number(value, field, least=1.0))


_REQUIRE: dict[str, Reader] = {
    "max_cost_usd": number,
    "max_latency_s": number,
    "max_ttft_s": number,
    "min_quality": _share,
    "confidence": _confidence,
    "max_params_b": number,
    "max_active_params_b": number,
    "released_after": day,
    "knowledge_after": day,
    "licenses": names,
    "providers": names,
    "exclude_providers": names,
    "regions": names,
    "privacy": partial(choice, allowed=get_args(PrivacyTier)),
    "tiers": partial(names, allowed=get_args(DeploymentTier)),
    "capabilities": partial(names, allowed=CAPABILITIES),
    "min_context": _context,
    "max_energy_wh": number,
    "max_risk": number,
    "max_agent_risk": _share,
    "quantizations": names,
}
_PRICES = {"input": "max_input_usd_per_mtok", "output": "max_output_usd_per_mtok"}
REQUIRE_KEYS = frozenset({*_REQUIRE, "max_price_usd_per_mtok"})
_TEXT_LISTS = frozenset(
    {"licenses", "providers", "exclude_providers", "regions", "tiers", "capabilities", "quantizations"}
)
_TEXT_WORDS = frozenset({"released_after", "knowledge_after", "privacy"})


def read_require(given: object, field: str) -> Wish:
    """The `require` object."""
    wish: Wish = {}
    require = mapping(given, field)
    known_keys(require, field, REQUIRE_KEYS)
    for key, value in require.items():
        if key == "max_price_usd_per_mtok":
            prices = mapping(value, f"{field}.{key}")
            known_keys(prices, f"{field}.{key}", _PRICES)
            wish |= {f"require.{_PRICES[k]}": number(v, f"{field}.{key}.{k}") for k, v in prices.items()}
        else:
            wish[f"require.{key}"] = _REQUIRE[key](value, f"{field}.{key}")
    return wish


def require_from_text(line: str, field: str) -> Wish:
    """Constraints as a header says them: `max_cost_usd=0.002; licenses=mit, apache-2.0`."""
    require: dict[str, object] = {}
    prices: dict[str, object] = {}
    for part in line.split(";"):
        if not part.strip():
            continue
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value:
            raise InvalidRoutingError(field=field, problem=f"write key=value; key=value, not {part.strip()!r}")
        target, name = (prices, key.partition(".")[2]) if key.startswith("max_price_usd_per_mtok.") else (require, key)
        if name in target:
            raise InvalidRoutingError(field=f"{field}.{key}", problem="given twice; keep one")
        target[name] = _from_text(key, value, field)
    if prices:
        require["max_price_usd_per_mtok"] = prices
    return read_require(require, field)


def _from_text(key: str, value: str, field: str) -> object:
    if key in _TEXT_LISTS:
        return [item.strip() for item in value.split(",") if item.strip()]
    if key in _TEXT_WORDS or (key not in REQUIRE_KEYS and not key.startswith("max_price_usd_per_mtok.")):
        return value  # an unknown key is refused with the others, by name
    try:
        return float(value)
    except ValueError as exc:
        raise InvalidRoutingError(field=f"{field}.{key}", problem=f"must be a number, not {value!r}") from exc


def _weights(value: object, field: str) -> dict[str, float]:
    weights = mapping(value, field)
    known_keys(weights, field, GOALS)
    return {goal: number(weight, f"{field}.{goal}") for goal, weight in weights.items()}


def _tools(value: object, field: str) -> Mapping[str, object]:
    tools = mapping(value, field)
    readers: dict[str, Reader] = {
        "select": partial(choice, allowed=("auto", "off")),
        "top_k": _context,
        "min_score": number,
        "max_tokens": _context,
        "always": lambda v, f: list(strings(v, f)),
        "set": text,
        "refine": partial(number, least=0.0, most=8.0),
        "repair": partial(choice, allowed=("off", "repair", "escalate")),
    }
    known_keys(tools, field, readers)
    return MappingProxyType({key: readers[key](item, f"{field}.{key}") for key, item in tools.items()})


_ROUTING: dict[str, Reader] = {
    "policy": text,
    "cost_quality_tradeoff": partial(number, most=10.0),
    "weights": _weights,
    "willingness_to_pay_usd": willingness,
    "order": strings,
    "on_infeasible": partial(choice, allowed=get_args(OnInfeasible)),
    "allow_fallbacks": boolean,
    "explore": boolean,
    "explain": boolean,
    "route_only": boolean,
    "session_id": text,
    "tools": _tools,
}


def read_routing(given: object, field: str = "routing") -> Wish:
    """The `routing` object."""
    routing = mapping(given, field)
    known_keys(routing, field, {*_ROUTING, "require", "models"})
    wish: Wish = {key: _ROUTING[key](value, f"{field}.{key}") for key, value in routing.items() if key in _ROUTING}
    if "require" in routing:
        wish |= read_require(routing["require"], f"{field}.require")
    if "models" in routing:
        models = mapping(routing["models"], f"{field}.models")
        known_keys(models, f"{field}.models", ("allow", "deny"))
        wish |= {key: strings(value, f"{field}.models.{key}") for key, value in models.items()}
    return wish


def combined(*sources: tuple[str, Wish]) -> Wish:
    """One wish from several of the same rank; where two speak of the same key they must agree."""
    wish: Wish = {}
    said_by: dict[str, str] = {}
    for name, source in sources:
        for key, value in source.items():
            if key in wish and wish[key] != value:
                raise InvalidRoutingError(
                    field=key, problem=f"{said_by[key]} says {wish[key]!r} and {name} says {value!r}; keep one of them"
                )
            wish[key], said_by[key] = value, name
    return wish


def options_of(wish: Wish) -> RoutingOptions:
    """The canonical options; refuses what contradicts itself."""
    require = {key.removeprefix("require."): value for key, value in wish.items() if key.startswith("require.")}
    rest = {key: value for key, value in wish.items() if not key.startswith("require.")}
    _refuse_contradictions(rest, require)
    if "weights" in rest:
        rest["weights"] = MappingProxyType(cast("dict[str, float]", rest["weights"]))
    return RoutingOptions(require=Constraints(**cast("Any", require)), **cast("Any", rest))


def _refuse_contradictions(rest: Wish, require: Wish) -> None:
    weights = cast("Mapping[str, float]", rest.get("weights", {}))
    named = {**rest, **{f"weights.{goal}": weight for goal, weight in weights.items()}}
    knobs = [key for key in ("cost_quality_tradeoff", "willingness_to_pay_usd", "weights.cost") if key in named]
    if len(knobs) > 1:
        raise InvalidRoutingError(field=knobs[0], problem=f"says the same thing as {knobs[1]}; keep one of them")
    if "cost_quality_tradeoff" in rest and "quality" in weights:
        raise InvalidRoutingError(
            field="cost_quality_tradeoff", problem="says the same thing as weights.quality; keep one of them"
        )
    wanted, refused = (
        cast("frozenset[str]", require.get(key, frozenset())) for key in ("providers", "exclude_providers")
    )
    if wanted and wanted <= refused:
        raise InvalidRoutingError(
            field="require.providers", problem="every one of them is in exclude_providers; nothing could satisfy both"
        )
