import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from gateway.tools.errors import InvalidRegistryError
from gateway.tools.importers.importing import read_file, tools_of_json

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


def posting(schema: object, **body: object) -> dict[str, Any]:
    """A document with one operation, whose body this is."""
    content = {"application/json": {"schema": schema}}
    return {"paths": {"/n": {"post": {"requestBody": {"content": content, **body}}}}}


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
    assert tool.schema["properties"]["next"] == {}


def test_no_references_are_left_for_a_provider_to_stumble_over() -> None:
    schemas = {f"N{n}": {"properties": {f"p{m}": {"$ref": f"#/schemas/N{m}"} for m in range(30)}} for n in range(30)}
    (tool,) = tools_of_json({**posting({"$ref": "#/schemas/N0"}), "schemas": schemas})
    assert "$ref" not in json.dumps(tool.schema)
    assert json.dumps(tool.schema).count('"properties"') < 2_000
    (lost,) = tools_of_json(posting({"properties": {"a": {"$ref": "other.yaml#/A", "description": "An A."}}}))
    assert lost.schema == {"type": "object", "properties": {"a": {"description": "An A."}}, "required": []}


def test_a_body_that_is_put_together_of_several_is_one_object() -> None:
    base = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}
    schema = {"allOf": [{"$ref": "#/schemas/Base"}, {"properties": {"name": {"type": "string"}}}], "required": ["name"]}
    (tool,) = tools_of_json({**posting(schema), "schemas": {"Base": base}})
    properties = {"id": {"type": "integer"}, "name": {"type": "string"}}
    assert tool.schema == {"type": "object", "properties": properties, "required": ["name", "id"]}


@pytest.mark.parametrize(
    "schema", [{"type": "array", "items": {}}, {"type": "string"}, {"oneOf": [{"type": "object"}]}]
)
def test_a_body_without_fields_is_an_argument_of_its_own(schema: object) -> None:
    (tool,) = tools_of_json(posting(schema, required=True))
    assert tool.schema == {"type": "object", "properties": {"body": schema}, "required": ["body"]}


def test_a_body_is_told_in_json_where_that_is_taken() -> None:
    body = posting({"properties": {"a": {}}})["paths"]["/n"]["post"]["requestBody"]
    body["content"] = {"application/xml": {"schema": {"properties": {"b": {}}}}, **body["content"]}
    (tool,) = tools_of_json({"paths": {"/n": {"post": {"requestBody": body}}}})
    assert tool.schema is not None
    assert tool.schema["properties"] == {"a": {}}


def test_an_operations_parameter_replaces_its_paths() -> None:
    by_id = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
    own = {**by_id, "schema": {"type": "string", "description": "Old."}, "description": "New."}
    item = {"parameters": [by_id], "get": {"parameters": [own, {"name": "id", "in": "query", "required": True}]}}
    (tool,) = tools_of_json({"paths": {"/n/{id}": {"$ref": "#/items/n"}}, "items": {"n": item}})
    assert tool.schema is not None
    assert tool.schema["required"] == ["id"]
    item["get"]["parameters"] = [own]  # type: ignore[index]
    (tool,) = tools_of_json({"paths": {"/n/{id}": item}})
    assert tool.schema is not None
    assert tool.schema["properties"] == {"id": {"type": "string", "description": "New."}}


def test_a_parameter_of_swagger_2_is_its_own_schema() -> None:
    listed = {"name": "ids", "in": "query", "type": "array", "items": {"type": "integer"}, "collectionFormat": "csv"}
    given = [listed, {"name": "file", "in": "formData", "type": "file"}, {"name": "Accept", "in": "header"}]
    given.append({"name": "n", "in": "query", "type": "integer", "minimum": 0, "exclusiveMinimum": True})
    (tool,) = tools_of_json({"swagger": "2.0", "paths": {"/n": {"get": {"parameters": given}}}})
    assert tool.schema is not None
    assert tool.schema["properties"] == {
        "ids": {"type": "array", "items": {"type": "integer"}},
        "file": {"type": "string"},
        "n": {"type": "integer", "exclusiveMinimum": 0},
    }


def test_operations_have_names_that_every_provider_takes_and_none_twice() -> None:
    long = "/" + "segment/" * 12
    paths = {"/a": {"get": {"operationId": "repos/list"}, "put": {"operationId": "repos/list"}}, "/ü": {"get": {}}}
    tools = tools_of_json({"paths": {**paths, f"{long}a": {"get": {}}, f"{long}b": {"get": {}}}})
    names = [tool.name for tool in tools]
    assert names[:3] == ["repos_list", "repos_list_2", "get_"]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in names)
    assert len(set(names)) == 5


@pytest.mark.parametrize("schema", [True, [1], 5, {"properties": 5, "required": 5}, {"allOf": [3]}])
def test_a_schema_that_is_none_admits_anything(schema: object) -> None:
    (tool,) = tools_of_json(posting(schema))
    (given,) = tools_of_json({"paths": {"/n": {"get": {"parameters": [{"name": "x", "schema": schema}]}}}})
    assert tool.name == "post_n"
    assert given.schema is not None
    assert "x" in given.schema["properties"]


def test_yaml_is_read_by_the_words_of_json(tmp_path: Path) -> None:
    path = tmp_path / "api.yaml"
    fields = "{on: {example: 2020-01-01}, no: {enum: [no, true, 1]}, 404: {maximum: 1e999}}"
    path.write_text(
        f"paths: {{/a: {{post: {{requestBody: {{content: {{a/json: {{schema: {{properties: {fields}}}}}}}}}}}}}}}"
    )
    (tool,) = read_file(path).tools
    assert tool.schema is not None
    assert tool.schema["properties"] == {
        "on": {"example": "2020-01-01"},
        "no": {"enum": ["no", True, 1]},
        "404": {"maximum": "1e999"},
    }


@pytest.mark.parametrize(("name", "text"), [("a.yaml", "a: [b"), ("a.json", "[" * 100_000), ("a.json", "{")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidRegistryError, match=name):
        read_file(tmp_path / name)


def test_numbers_and_texts_that_no_other_program_reads_are_told_otherwise() -> None:
    entry = {"name": "a", "description": "\ud800!", "parameters": {"maximum": 1 << 200, "minimum": float("nan")}}
    (tool,) = tools_of_json([entry])
    assert tool.description == "?!"
    assert tool.schema == {"maximum": float(1 << 200), "minimum": None}
    deep: object = 1
    for _ in range(200):
        deep = [deep]
    with pytest.raises(InvalidRegistryError, match="deeper"):
        tools_of_json([{"name": "a", "parameters": deep}])


def test_a_table_brings_tools_and_their_use(tmp_path: Path) -> None:
    pl.DataFrame({"tool_id": ["a"], "description": ["A"], "parameters_json": ['{"type": "object"}']}).write_parquet(
        tmp_path / "tools.parquet"
    )
    pl.DataFrame({"query": ["do a"], "tool_ids": [["a"]]}).write_parquet(tmp_path / "usage.parquet")
    found = read_file(tmp_path / "tools.parquet", usage=tmp_path / "usage.parquet")
    assert (found.tools[0].name, found.tools[0].schema) == ("a", {"type": "object"})
    assert found.usage.tool_ids == (("a",),)


@pytest.mark.parametrize("value", [{}, {"paths": {}}, [], [3], [{"description": "no name"}], "tools"])
def test_what_declares_no_tools_is_refused(value: object) -> None:
    with pytest.raises(InvalidRegistryError):
        tools_of_json(value)


def test_twenty_thousand_operations_of_one_name_are_numbered_in_one_pass() -> None:
    document = {"paths": {f"/{at}": {"get": {"operationId": "same"}} for at in range(20_000)}}
    names = [tool.name for tool in tools_of_json(document)]  # by counting anew for each: 200 million looks
    assert (names[0], names[1], names[-1]) == ("same", "same_2", "same_20000")
    assert len(set(names)) == 20_000


def test_a_long_list_behind_a_reference_is_written_out_once_a_tool_at_most() -> None:
    listed = {"type": "string", "enum": [f"v{at}" for at in range(1_500)]}
    properties = {f"p{at}": {"$ref": "#/components/schemas/Listed"} for at in range(50)}
    document = {**posting({"type": "object", "properties": properties}), "components": {"schemas": {"Listed": listed}}}
    (tool,) = tools_of_json(document)
    assert tool.schema is not None
    told = tool.schema["properties"]
    assert told["p0"] == listed
    assert told["p1"] == {"type": "string"}  # admits more than it should, and fits into a memory
    assert told["p49"] in ({"type": "string"}, {})


def test_references_that_unfold_to_too_much_in_all_are_told() -> None:
    listed = {"type": "string", "enum": [f"v{at}" for at in range(1_900)]}
    asked = {"parameters": [{"name": "p", "in": "query", "schema": {"$ref": "#/components/schemas/Listed"}}]}
    document = {
        "paths": {f"/{at}": {"get": asked} for at in range(2_000)},
        "components": {"schemas": {"Listed": listed}},
    }
    with pytest.raises(InvalidRegistryError, match=r"unfold to more than 2,000,000 values; import a part of its paths"):
        tools_of_json(document)


def test_aliases_of_yaml_do_not_unfold_to_more_than_a_memory_holds(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 10)}]" for at in range(1, 10)]
    (tmp_path / "tools.yaml").write_text("\n".join([*lines, "tools: *a9"]))
    with pytest.raises(InvalidRegistryError, match="its aliases unfold to"):
        read_file(tmp_path / "tools.yaml")
