"""JSON schemas as Anthropic's structured outputs take them: some keywords it refuses, and objects must be closed.

What is refused is told in the description instead, which the model reads: nothing is lost in silence.
Source: Anthropic's documentation, Structured outputs, limitations of JSON Schema.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["closed_schema"]

_REFUSED = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern"),
    *("maxItems", "uniqueItems", "minProperties", "maxProperties", "minContains", "maxContains"),
)
_LISTS = ("anyOf", "allOf")
_TABLES = ("properties", "$defs", "definitions")
_MOST_DEPTH = 50


def closed_schema(schema: Mapping[str, Any], *, depth: int = 0) -> dict[str, Any] | None:
    """The schema for structured outputs; None where it cannot be told so, as of objects with names nobody knows."""
    if depth > _MOST_DEPTH or "oneOf" in schema:
        return None
    closed = {key: value for key, value in schema.items() if key not in _REFUSED}
    notes = [f"{key}: {schema[key]}" for key in _REFUSED if key in schema]
    if isinstance(least := closed.get("minItems"), int) and least > 1:
        del closed["minItems"]
        notes.append(f"minItems: {least}")
    if notes:
        closed["description"] = ". ".join([*([closed["description"]] if closed.get("description") else []), *notes])
    if closed.get("type") == "object" or "properties" in closed:
        if closed.get("additionalProperties", False) is not False or not closed.get("properties"):
            return None
        closed["additionalProperties"] = False
    return closed if _close_within(closed, depth) else None


def _close_within(schema: dict[str, Any], depth: int) -> bool:
    """Whether all that is nested could be closed, too; it is, in place."""
    for key in _TABLES:
        if isinstance(table := schema.get(key), Mapping):
            schema[key] = {name: _closed(value, depth) for name, value in table.items()}
            if None in schema[key].values():
                return False
    for key in _LISTS:
        if isinstance(listed := schema.get(key), list):
            schema[key] = [_closed(value, depth) for value in listed]
            if None in schema[key]:
                return False
    if isinstance(items := schema.get("items"), Mapping):
        schema["items"] = _closed(items, depth)
        return schema["items"] is not None
    return True


def _closed(value: object, depth: int) -> object:
    return closed_schema(value, depth=depth + 1) if isinstance(value, Mapping) else value
