from typing import Any

import pytest

from gateway.tools.calls.checking import canonical, faults_of
from tests.gateway.tools.offers import function

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
    "required": ["city"],
}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}


def called(arguments: str, name: str = "weather") -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


@pytest.mark.parametrize(
    ("call", "keywords"),
    [
        (called('{"city": "Rome"}'), []),
        (called("{}"), ["required"]),
        (called('{"city": "Rome", "days": 0}'), ["minimum"]),
        (called('{"city": 3, "days": "x"}'), ["type", "type"]),
        (called("Rome"), ["arguments"]),
        (called("[]"), ["arguments"]),
        (called("{}", name="wether"), ["unknown_tool"]),
    ],
)
def test_a_call_is_held_to_its_schema(call: dict[str, Any], keywords: list[str]) -> None:
    assert [fault.keyword for fault in faults_of([call], [WEATHER])] == keywords


@pytest.mark.parametrize(
    "schema", [{"type": 7}, {"$ref": "#/nowhere"}, {"$ref": "http://127.0.0.1:9/s"}, {"$ref": "#"}, None, []]
)
def test_a_schema_that_is_wrong_itself_admits_everything(schema: object) -> None:
    tool = {"type": "function", "function": {"name": "weather", "parameters": schema}}
    assert faults_of([called('{"city": 3}')], [tool]) == ()


def test_a_regular_expression_that_never_ends_is_not_tried() -> None:
    endless = {"type": "object", "properties": {"query": {"type": "string", "pattern": "^(a+)+$"}}}
    tool = {"type": "function", "function": {**function("search")["function"], "parameters": endless}}
    assert faults_of([called('{"query": "' + "a" * 40 + '!"}', name="search")], [tool]) == ()


@pytest.mark.parametrize("word", ["allOf", "anyOf"])
def test_references_that_double_at_every_level_are_given_up(word: str) -> None:
    defs: dict[str, Any] = {f"d{n}": {word: [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(60)}
    schema = {"$defs": {**defs, "d60": {"type": "array"}}, "$ref": "#/$defs/d0"}  # 2 ** 60 ways to look
    tool = {"type": "function", "function": {"name": "weather", "parameters": schema}}
    assert faults_of([called('{"city": "Rome"}')], [tool]) == ()


def test_arguments_nested_without_end_are_no_arguments() -> None:
    (fault,) = faults_of([called("[" * 100_000)], [WEATHER])
    assert fault.keyword == "arguments"


def test_calls_that_mean_the_same_have_one_canonical_form() -> None:
    one, other = called('{"city": "Rome", "days": 2}'), called('{"days":2,"city":"Rome"}')
    assert canonical([one]) == canonical([other])
    assert canonical([one]) != canonical([called('{"city": "Rome"}')])
