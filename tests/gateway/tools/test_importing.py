import json
from pathlib import Path

import polars as pl
import pytest

from gateway.tools.errors import InvalidRegistryError
from gateway.tools.importing import read_file, tools_of_json

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.mark.parametrize(
    "declared",
    [
        {"type": "function", "function": {"name": "weather", "description": "Of a city", "parameters": SCHEMA}},
        {"name": "weather", "description": "Of a city", "input_schema": SCHEMA},
        {"name": "weather", "description": "Of a city", "inputSchema": SCHEMA},
    ],
)
def test_openai_anthropic_and_mcp_declarations_mean_the_same(declared: dict[str, object]) -> None:
    (tool,) = tools_of_json([declared])
    assert (tool.name, tool.description, tool.schema) == ("weather", "Of a city", SCHEMA)


def test_an_openapi_document_gives_one_tool_per_operation(tmp_path: Path) -> None:
    pet = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    by_id = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
    document = {
        "openapi": "3.1.0",
        "paths": {
            "/pets": {
                "post": {
                    "operationId": "addPet",
                    "summary": "Add a pet",
                    "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}}},
                }
            },
            "/pets/{id}": {"parameters": [by_id], "delete": {"description": "Forget it"}},
        },
        "components": {"schemas": {"Pet": pet}},
    }
    path = tmp_path / "api.json"
    path.write_text(json.dumps(document))
    add, forget = read_file(path).tools
    assert (add.name, add.description) == ("addPet", "Add a pet")
    assert add.schema == {"type": "object", "properties": pet["properties"], "required": ["name"]}
    assert forget.name == "delete_pets__id"
    assert forget.schema is not None
    assert forget.schema["required"] == ["id"]
    assert forget.annotations["destructiveHint"]


def test_a_schema_that_refers_to_itself_is_followed_only_so_far() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}}
    document = {"paths": {"/n": {"post": {"requestBody": body}}}, "components": {"schemas": {"Node": node}}}
    (tool,) = tools_of_json(document)
    assert tool.schema is not None
    assert "next" in tool.schema["properties"]


def test_a_table_brings_tools_and_their_use(tmp_path: Path) -> None:
    pl.DataFrame({"tool_id": ["a"], "description": ["A"], "parameters_json": ['{"type": "object"}']}).write_parquet(
        tmp_path / "tools.parquet"
    )
    pl.DataFrame({"query": ["do a"], "tool_ids": [["a"]]}).write_parquet(tmp_path / "usage.parquet")
    found = read_file(tmp_path / "tools.parquet", usage=tmp_path / "usage.parquet")
    assert (found.tools[0].name, found.tools[0].schema) == ("a", {"type": "object"})
    assert found.usage.tool_ids == (("a",),)


@pytest.mark.parametrize("value", [{}, [], [3], [{"description": "no name"}], "tools"])
def test_what_declares_no_tools_is_refused(value: object) -> None:
    with pytest.raises(InvalidRegistryError):
        tools_of_json(value)
