"""Schemas for structured outputs."""

from typing import Any

import pytest

from gateway.wire.anthropic.schema import closed_schema

LEAF = {"type": "object", "properties": {"a": {"type": "string"}}}


def test_every_object_is_closed_however_deep() -> None:
    closed = closed_schema(
        {
            "type": "object",
            "properties": {"many": {"type": "array", "items": LEAF}, "one": {"anyOf": [LEAF, {"type": "null"}]}},
            "$defs": {"leaf": LEAF},
        }
    )
    assert closed is not None
    leaf = {**LEAF, "additionalProperties": False}
    assert closed["additionalProperties"] is False
    assert closed["properties"] == {
        "many": {"type": "array", "items": leaf},
        "one": {"anyOf": [leaf, {"type": "null"}]},
    }
    assert closed["$defs"] == {"leaf": leaf}


def test_a_keyword_that_is_refused_is_told_in_words() -> None:
    asked = {"type": "integer", "minimum": 1, "maximum": 9, "description": "A digit"}
    assert closed_schema(asked) == {"type": "integer", "description": "A digit. minimum: 1. maximum: 9"}
    assert closed_schema({"type": "array", "minItems": 1}) == {"type": "array", "minItems": 1}
    assert closed_schema({"type": "array", "minItems": 3}) == {"type": "array", "description": "minItems: 3"}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "object"},
        {"oneOf": [LEAF]},
        {"type": "array", "items": {"type": "object"}},
        {"type": "object", "properties": {"a": {"anyOf": [{"type": "object", "additionalProperties": True}]}}},
    ],
)
def test_objects_of_unknown_names_cannot_be_closed(schema: dict[str, Any]) -> None:
    assert closed_schema(schema) is None
