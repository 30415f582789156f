"""All the ways a caller can say how a request shall be routed, read into one canonical form.

The body beats a header, a header beats the model's alias, an alias beats a flag in the prompt; within the body two
dialects must agree. What is consumed here is named, so that it never reaches a backend.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import cast

import orjson

from router.errors import InvalidRoutingError
from router.wishes.options import RoutingOptions
from router.wishes.presets import PRESETS

from .dialects import BODY_KEYS, foreign_wish
from .prompt_flags import read_prompt_flags
from .wish import Wish, combined, options_of, read_routing, require_from_text

__all__ = ["Reading", "read_options"]

_HEADER_PREFIX = "x-paretogate-"
_HEADERS = ("x-paretogate-policy", "x-paretogate-require")
_AUTO = ("auto", "paretogate/auto")
_SUFFIXES = {"floor": "cheap", "nitro": "fast"}  # OpenRouter's: the cheapest, or the fastest, that serves this model
_DEFAULT = RoutingOptions()
_PATTERN = frozenset("*?[")
_LONGEST_REMEMBERED = 2_048  # characters: what a caller makes up must not fill the memory

_Said = tuple[tuple[str, str], ...]  # our headers and their values


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a request says about its routing."""

    options: RoutingOptions
    target: str | None  # the one model that is named, None when the router shall choose
    narrowed_to: str | None = None  # the one model that a suffix such as `:floor` leaves to choose from
    names_policy: bool = False  # some way or other; else the policy of the options is the default
    consumed: frozenset[str] = frozenset()  # top-level keys of the body to take out before it is forwarded
    messages: Sequence[object] | None = None  # the messages without their flags, None when they had none
    prompt: str | Sequence[object] | None = None  # the same of a completion's prompt
    concealed: frozenset[str] = frozenset()  # ids of models of which the caller is told nothing

    @property
    def replaced(self) -> dict[str, object]:
        """Top-level keys of the body whose values differ from what the client sent."""
        if self.messages is None and self.prompt is None:
            return {}
        values = {"messages": self.messages, "prompt": self.prompt}
        return {key: value for key, value in values.items() if value is not None}


def read_options(
    *,
    model: str,
    body: Mapping[str, object],
    headers: Mapping[str, str],
    policies: Collection[str] = (),
    allow_prompt_flags: bool = False,
) -> Reading:
    """Read every way of saying things.

    Args:
        model: the body's model: an alias such as `auto:cheap`, or a model's name.
        body: the request, as parsed.
        headers: the request's headers, their names in lower case.
        policies: names of the operator's own policies, beside the presets.
        allow_prompt_flags: whether `[Flag: ...]` in a message is read and taken out, or is mere text.

    Raises:
        InvalidRoutingError: a key is unknown, a value impossible, or two wishes contradict each other.
    """
    own = {key: body[key] for key in _EVERY_KEY.intersection(body)}
    said = tuple((name, headers[name]) for name in headers if name.startswith(_HEADER_PREFIX))
    if allow_prompt_flags and (flags := read_prompt_flags(body)).wish:
        reading = _read(model, own, said, frozenset(policies), flags.wish)
        return replace(reading, messages=flags.messages, prompt=flags.prompt)
    try:
        wishes = orjson.dumps(own)
    except TypeError:  # no JSON: whoever reads it names what is wrong
        return _read(model, own, said, frozenset(policies), {})
    length = len(model) + len(wishes) + sum(len(name) + len(value) for name, value in said)
    read = _read_again if length <= _LONGEST_REMEMBERED else _read_anew
    return read(model, wishes, said, frozenset(policies))


def _read_anew(model: str, wishes: bytes, said: _Said, policies: frozenset[str]) -> Reading:
    return _read(model, orjson.loads(wishes), said, policies, {})


_read_again = lru_cache(maxsize=512)(_read_anew)  # what is said again and again is read once, into the same objects


def _read(model: str, own: Mapping[str, object], said: _Said, policies: frozenset[str], flags: Wish) -> Reading:
    target, alias = _read_alias(model, policies)
    foreign = foreign_wish(own)
    by_header = _read_headers(said)
    if not (foreign or alias or by_header or flags) and own.get("routing") is None:
        return Reading(options=_DEFAULT, target=target, consumed=_consumed(own, ()))
    ours = read_routing(own["routing"]) if own.get("routing") is not None else {}
    wish = _by_precedence(flags, alias, by_header, combined(("routing", ours), *foreign))
    options = options_of(wish)
    _check_policy(options.policy, policies)
    if target is not None and "models" in own and options.order:  # OpenRouter: the model, then the fallback list
        options, target = replace(options, order=(target, *(name for name in options.order if name != target))), None
    return Reading(
        options=options,
        target=target,
        narrowed_to=_narrowed_to(alias),
        names_policy="policy" in wish,
        consumed=_consumed(own, foreign),
    )


_FOREIGN = frozenset(BODY_KEYS)
_EVERY_KEY = _FOREIGN | {"routing"}


def _consumed(own: Mapping[str, object], foreign: Sequence[tuple[str, Wish]]) -> frozenset[str]:
    """What was read, and what is null: some backends refuse a key they do not know whatever it holds."""
    read = {name for name, _ in foreign} | {"routing"}
    return frozenset(key for key, value in own.items() if key in read or value is None)


def _read_alias(model: str, policies: Collection[str]) -> tuple[str | None, Wish]:
    """The named model, or None, and what its alias or suffix wishes."""
    base, colon, suffix = model.rpartition(":")
    if model in _AUTO:
        return None, {}
    if colon and base in _AUTO:
        policy = _SUFFIXES.get(suffix, suffix)
        _check_policy(policy, policies, field="model")
        return None, {"policy": policy}
    if colon and suffix in _SUFFIXES:
        return None, {"policy": _SUFFIXES[suffix], "allow": (base,)}
    return model, {}


def _narrowed_to(alias: Wish) -> str | None:
    """The model that an alias names beside its suffix; a pattern may mean nobody."""
    named = cast("tuple[str, ...]", alias.get("allow", ()))
    return named[0] if named and _PATTERN.isdisjoint(named[0]) else None


def _read_headers(said: _Said) -> Wish:
    wish: Wish = {}
    for name, value in said:
        if name not in _HEADERS:
            raise InvalidRoutingError(field=name, problem=f"unknown header; choose from {', '.join(_HEADERS)}")
        wish |= {"policy": value.strip()} if name == _HEADERS[0] else require_from_text(value, name)
    return wish


def _by_precedence(*wishes: Wish) -> Wish:
    """Later ones win, key by key; a word on quality against money silences the weaker ones' words on it."""
    merged: Wish = {}
    for wish in wishes:
        if _speaks_of_money(wish):
            merged = _without_money(merged)
        weights = {**_weights(merged), **_weights(wish)}
        merged |= wish
        if weights:
            merged["weights"] = weights
    return merged


_KNOBS = frozenset({"cost_quality_tradeoff", "willingness_to_pay_usd"})
_MONEY_GOALS = frozenset({"cost", "quality"})


def _speaks_of_money(wish: Wish) -> bool:
    return not (_KNOBS.isdisjoint(wish) and _MONEY_GOALS.isdisjoint(_weights(wish)))


def _without_money(wish: Wish) -> Wish:
    rest = {key: value for key, value in wish.items() if key not in _KNOBS and key != "weights"}
    weights = {goal: weight for goal, weight in _weights(wish).items() if goal not in _MONEY_GOALS}
    return {**rest, "weights": weights} if weights else rest


def _weights(wish: Wish) -> dict[str, float]:
    return cast("dict[str, float]", wish.get("weights", {}))


def _check_policy(name: str, policies: Collection[str], *, field: str = "policy") -> None:
    if name not in PRESETS and name not in policies:
        known = ", ".join(sorted({*PRESETS, *policies}))
        raise InvalidRoutingError(field=field, problem=f"there is no policy {name!r}; choose from {known}")
