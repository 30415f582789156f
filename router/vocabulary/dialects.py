"""Other gateways' words for routing wishes, translated: OpenRouter's `provider`, `models`, `plugins`; Martian's knobs.

What we cannot honour is refused, never ignored.
"""

from collections.abc import Callable, Mapping

from router.errors import InvalidRoutingError

from .values import boolean, choice, known_keys, mapping, names, number, strings, text
from .wish import Wish, combined, willingness

__all__ = ["BODY_KEYS", "foreign_wish"]

BODY_KEYS = ("provider", "models", "plugins", "route_only", "max_cost", "willingness_to_pay")
_PROVIDER_KEYS = frozenset(
    {
        "order",
        "only",
        "ignore",
        "allow_fallbacks",
        "require_parameters",
        "data_collection",
        "zdr",
        "quantizations",
        "sort",
        "max_price",
        "enforce_distillable_text",
    }
)
_SORTS = {"price": "cheap", "throughput": "fast", "latency": "fast"}
_ROUTING_PLUGINS = frozenset({"auto-router", "pareto-router"})


def foreign_wish(body: Mapping[str, object]) -> tuple[tuple[str, Wish], ...]:
    """What each foreign key of the body wishes, by key; a key that is not about routing is left out."""
    read = ((key, _READERS[key](body[key])) for key in BODY_KEYS if body.get(key) is not None)
    return tuple((key, wish) for key, wish in read if wish is not None)


def _provider(value: object) -> Wish:
    given = mapping(value, "provider")
    known_keys(given, "provider", _PROVIDER_KEYS)
    wish: Wish = {}
    for key, target in (("only", "providers"), ("ignore", "exclude_providers"), ("quantizations", "quantizations")):
        if key in given:
            wish[f"require.{target}"] = names(given[key], f"provider.{key}")
    if "allow_fallbacks" in given:
        wish["allow_fallbacks"] = boolean(given["allow_fallbacks"], "provider.allow_fallbacks")
    if "order" in given:
        wish["order"] = strings(given["order"], "provider.order")
    if "sort" in given:
        wish["policy"] = _SORTS[_sort(given["sort"])]
    if "max_price" in given:
        wish |= _max_price(given["max_price"])
    return wish | _privacy(given) | _refused_parts(given)


def _sort(value: object) -> str:
    if isinstance(value, Mapping):
        known_keys(value, "provider.sort", ("by", "partition"))
        return choice(value.get("by"), "provider.sort.by", _SORTS)
    return choice(value, "provider.sort", _SORTS)


def _max_price(value: object) -> Wish:
    prices = mapping(value, "provider.max_price")
    known_keys(prices, "provider.max_price", ("prompt", "completion"))
    targets = {"prompt": "require.max_input_usd_per_mtok", "completion": "require.max_output_usd_per_mtok"}
    return {targets[key]: number(_amount(price), f"provider.max_price.{key}") for key, price in prices.items()}


def _amount(price: object) -> object:
    """OpenRouter writes prices as numbers or as strings."""
    try:
        return float(price) if isinstance(price, str) else price
    except ValueError:
        return price  # refused by the reader of numbers, under its key


def _privacy(given: Mapping[str, object]) -> Wish:
    collection = choice(given.get("data_collection", "allow"), "provider.data_collection", ("allow", "deny"))
    if boolean(given.get("zdr", False), "provider.zdr"):
        return {"require.privacy": "no_retention"}
    return {"require.privacy": "no_training"} if collection == "deny" else {}


def _refused_parts(given: Mapping[str, object]) -> Wish:
    boolean(given.get("require_parameters", True), "provider.require_parameters")  # always so here
    if boolean(given.get("enforce_distillable_text", False), "provider.enforce_distillable_text"):
        raise InvalidRoutingError(
            field="provider.enforce_distillable_text", problem="is not known here; use require.licenses"
        )
    return {}


def _models(value: object) -> Wish:
    return {"order": strings(value, "models")}


def _plugins(value: object) -> Wish | None:
    if not isinstance(value, list | tuple):
        raise InvalidRoutingError(field="plugins", problem=f"must be a list of objects, not {value!r}")
    plugins = [mapping(plugin, f"plugins[{i}]") for i, plugin in enumerate(value)]
    ours = [plugin.get("id") in _ROUTING_PLUGINS for plugin in plugins]
    if not any(ours):
        return None  # a provider's own plugins pass through
    if not all(ours):
        raise InvalidRoutingError(field="plugins", problem="mixes routing plugins with others; send routing ones alone")
    return combined(*((f"plugins[{i}]", _plugin(plugin, f"plugins[{i}]")) for i, plugin in enumerate(plugins)))


def _plugin(plugin: Mapping[str, object], field: str) -> Wish:
    if text(plugin["id"], field) == "pareto-router":
        known_keys(plugin, field, ("id", "min_coding_score"))
        score = plugin.get("min_coding_score")
        return {} if score is None else {"require.min_quality": number(score, f"{field}.min_coding_score", most=1.0)}
    known_keys(plugin, field, ("id", "allowed_models", "cost_quality_tradeoff"))
    wish: Wish = {}
    if "allowed_models" in plugin:
        wish["allow"] = strings(plugin["allowed_models"], f"{field}.allowed_models")
    if "cost_quality_tradeoff" in plugin:
        knob = number(plugin["cost_quality_tradeoff"], f"{field}.cost_quality_tradeoff", most=10.0)
        wish["cost_quality_tradeoff"] = knob
    return wish


_READERS: dict[str, Callable[[object], Wish | None]] = {
    "provider": _provider,
    "models": _models,
    "plugins": _plugins,
    "route_only": lambda value: {"route_only": boolean(value, "route_only")},
    "max_cost": lambda value: {"require.max_cost_usd": number(value, "max_cost")},
    "willingness_to_pay": lambda value: {"willingness_to_pay_usd": willingness(value, "willingness_to_pay")},
}
