"""Reads a caller's JSON values: the right type, or an error that names the key and says what is allowed."""

import math
from collections.abc import Collection, Mapping
from datetime import date

from router.errors import InvalidRoutingError

__all__ = [
    "boolean",
    "choice",
    "day",
    "known_keys",
    "mapping",
    "names",
    "number",
    "strings",
    "text",
]


_MOST_NAMES = 1_000
_MOST_PATTERNS = 100  # each is compiled, which takes a hundred times as long as to compare a name
_LONGEST_NAME = 256  # characters
_OF_PATTERNS = frozenset("*?[")


def number(value: object, field: str, *, least: float = 0.0, most: float = math.inf) -> float:
    """A finite number between the bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidRoutingError(field=field, problem=f"must be a number, not {value!r}")
    if not least <= value <= most:
        bounds = f"at least {least:g}" if most == math.inf else f"between {least:g} and {most:g}"
        raise InvalidRoutingError(field=field, problem=f"must be {bounds}, not {value:g}")
    return float(value)


def boolean(value: object, field: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise InvalidRoutingError(field=field, problem=f"must be true or false, not {value!r}")
    return value


def text(value: object, field: str) -> str:
    """A string that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidRoutingError(field=field, problem=f"must be a string that is not empty, not {value!r}")
    return value.strip()


def choice(value: object, field: str, allowed: Collection[str]) -> str:
    """One of the allowed words."""
    if not isinstance(value, str) or value not in allowed:
        raise InvalidRoutingError(field=field, problem=f"must be one of {', '.join(sorted(allowed))}, not {value!r}")
    return value


def strings(value: object, field: str) -> tuple[str, ...]:
    """A list of strings, not too many and none too long; a single string is a list of one."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple):
        raise InvalidRoutingError(field=field, problem=f"must be a list of strings, not {value!r}")
    if len(value) > _MOST_NAMES:
        raise InvalidRoutingError(field=field, problem=f"has {len(value)} entries; at most {_MOST_NAMES} are read")
    found = tuple(text(item, f"{field}[{i}]") for i, item in enumerate(value))
    if any(len(item) > _LONGEST_NAME for item in found):
        raise InvalidRoutingError(field=field, problem=f"has an entry of more than {_LONGEST_NAME} characters")
    if sum(not _OF_PATTERNS.isdisjoint(item) for item in found) > _MOST_PATTERNS:
        problem = f"has more than {_MOST_PATTERNS} patterns; name models in full, or say `*`"
        raise InvalidRoutingError(field=field, problem=problem)
    return found


def names(value: object, field: str, allowed: Collection[str] | None = None) -> frozenset[str]:
    """A set of words that is not empty, each among the allowed where those are given."""
    found = strings(value, field)
    if not found:
        raise InvalidRoutingError(field=field, problem="must not be empty: nothing could satisfy it; leave it out")
    if allowed is not None:
        for i, item in enumerate(found):
            choice(item, f"{field}[{i}]", allowed)
    return frozenset(found)


def day(value: object, field: str) -> date:
    """A date as ISO writes it, such as 2024-06-01."""
    try:
        return date.fromisoformat(text(value, field))
    except ValueError as exc:
        raise InvalidRoutingError(field=field, problem=f"must be a date such as 2024-06-01, not {value!r}") from exc


def mapping(value: object, field: str) -> Mapping[str, object]:
    """An object."""
    if not isinstance(value, Mapping):
        raise InvalidRoutingError(field=field, problem=f"must be an object, not {value!r}")
    return value


def known_keys(given: Mapping[str, object], field: str, allowed: Collection[str]) -> None:
    """Refuse a key that means nothing: a misspelt constraint must not be ignored."""
    for key in given:
        if key not in allowed:
            where = f"{field}.{key}" if field else key
            raise InvalidRoutingError(field=where, problem=f"unknown key; choose from {', '.join(sorted(allowed))}")
