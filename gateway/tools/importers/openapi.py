"""One tool per operation of an OpenAPI document: 3.0, 3.1, or Swagger 2.

Names and schemas are written so that every provider takes them: names of letters, digits, `_` and `-`, none twice, and
schemas without references, since these lead into the document, which no model is shown.

Source: OpenAPI Specification 3.1.1, 3.0.4 and 2.0.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

from gateway.tools.errors import InvalidRegistryError
from gateway.tools.registries import StoredTool

__all__ = ["operations"]

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_READS, _DESTROYS = "get", "delete"
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]")  # of what providers admit in the name of a tool
_MOST_CHARACTERS: Final = 64  # likewise
_OF_HTTP: Final = ("accept", "authorization", "content-type")  # headers that the specification takes for no parameters
_MOST_NODES: Final = 2_000  # objects, and items of lists, that references may add to one tool's schema
_MOST_IN_ALL: Final = 2_000_000  # likewise, to all tools of a document
_MOST_DEEP: Final = 20  # references within references
_OLD_SCHEMA: Final = (  # keys by which a parameter of Swagger 2 is its own schema
    *("type", "format", "items", "enum", "default", "pattern", "multipleOf", "uniqueItems", "minItems", "maxItems"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength"),
)


def operations(document: Mapping[str, Any]) -> Iterator[StoredTool]:
    """One tool per operation. HTTP's own words say what a method may do, as an MCP server's hints would.

    Raises:
        InvalidRegistryError: its references unfold to far more than is written.
    """
    names, schemas = _Names(), _Schemas(document)
    for path, given in document["paths"].items():
        item = _followed(document, given)
        for method in _METHODS:
            operation = item.get(method) if isinstance(item, Mapping) else None
            if not isinstance(operation, Mapping):
                continue
            schemas.begin_tool()
            yield StoredTool(
                name=names.unique(_name(operation.get("operationId"), method, path)),
                description="\n".join(
                    str(operation[k]) for k in ("summary", "description") if isinstance(operation.get(k), str)
                ),
                schema=_arguments(schemas, [item.get("parameters"), operation.get("parameters")], operation),
                category=str(next(iter(_list(operation.get("tags"))), "")),
                annotations={"readOnlyHint": method == _READS, "destructiveHint": method == _DESTROYS},
            )


def _arguments(schemas: "_Schemas", declared: Sequence[object], operation: Mapping[str, Any]) -> dict[str, Any]:
    """Path, query and body parameters as one object, the body's own fields beside the others."""
    document = schemas.document
    parameters: dict[tuple[object, object], Mapping[str, Any]] = {}  # the operation's own word replaces the path's
    for given in (parameter for listed in declared for parameter in _list(listed)):
        parameter = _followed(document, given)
        if isinstance(parameter, Mapping) and isinstance(parameter.get("name"), str):
            parameters[parameter["name"], parameter.get("in")] = parameter
    properties: dict[str, Any] = {}
    required: list[str] = []
    for (name, place), parameter in parameters.items():
        if place == "header" and str(name).lower() in _OF_HTTP:
            continue
        properties[str(name)] = _of_parameter(schemas, parameter)
        if parameter.get("required") is True:
            required.append(str(name))
    body = _followed(document, operation.get("requestBody"))
    if isinstance(body, Mapping) and (schema := _of_body(schemas, body)):
        fields = _fields(schema)
        if not fields:  # a list, a text, or one of several objects
            fields = {"body": schema}
            schema = {"required": ["body"] if body.get("required") is True else []}
        properties.update(fields)
        required += [name for name in _required(schema) if name in fields]
    return {"type": "object", "properties": properties, "required": list(dict.fromkeys(required))}


def _of_parameter(schemas: "_Schemas", parameter: Mapping[str, Any]) -> dict[str, Any]:
    schema = parameter.get("schema")
    if schema is None and isinstance(content := parameter.get("content"), Mapping):
        schema = _media(content)
    if schema is None:
        schema = {key: parameter[key] for key in _OLD_SCHEMA if key in parameter} or {"type": "string"}
    found = schemas.whole(schema)
    said = parameter.get("description")
    return {**found, "description": said} if isinstance(said, str) and said else found


def _of_body(schemas: "_Schemas", body: Mapping[str, Any]) -> dict[str, Any]:
    content = body.get("content")
    return schemas.whole(_media(content)) if isinstance(content, Mapping) else {}


def _media(content: Mapping[str, Any]) -> object:
    """The schema of what a model can best write: JSON, where that is taken."""
    kinds = sorted(content, key=lambda kind: "json" not in str(kind).lower())  # stable: else the first
    media = content[kinds[0]] if kinds else None
    return media.get("schema") if isinstance(media, Mapping) else None


def _fields(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of an object, also of one that is put together of several."""
    found: dict[str, Any] = {}
    for part in _list(schema.get("allOf")):
        found |= _fields(part) if isinstance(part, Mapping) else {}
    own = schema.get("properties")
    return {**found, **own} if isinstance(own, Mapping) else found


def _required(schema: Mapping[str, Any]) -> list[str]:
    parts = [part for part in _list(schema.get("allOf")) if isinstance(part, Mapping)]
    own = [name for name in _list(schema.get("required")) if isinstance(name, str)]
    return [*own, *(name for part in parts for name in _required(part))]


class _Schemas:
    """Schemas of tools, their references followed.

    What refers to itself, and what would be too much, ends in a schema that admits anything.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self._left_in_all, self._nodes_left = _MOST_IN_ALL, _MOST_NODES

    def begin_tool(self) -> None:
        """What follows belongs to the next tool."""
        self._left_in_all -= _MOST_NODES - self._nodes_left
        self._nodes_left = _MOST_NODES
        if self._left_in_all < 0:
            problem = f"references of this OpenAPI document unfold to more than {_MOST_IN_ALL:,} values"
            raise InvalidRegistryError(f"tools: {problem}; import a part of its paths at a time")

    def whole(self, schema: object) -> dict[str, Any]:
        """The schema as an object, without references."""
        found = self._expanded(schema, ())
        return found if isinstance(found, dict) else {}  # `true` admits anything as well

    def _expanded(self, value: Any, above: tuple[str, ...]) -> Any:  # noqa: ANN401 - whatever JSON holds
        if isinstance(value, list):
            self._nodes_left -= len(value) if above else 0
            return [self._expanded(item, above) for item in value]
        if not isinstance(value, Mapping):
            return value
        reference = value.get("$ref")
        if isinstance(reference, str):
            found = _at(self.document, reference)
            said = {key: value[key] for key in ("title", "description") if isinstance(value.get(key), str)}
            if found is None or reference in above or len(above) == _MOST_DEEP or self._nodes_left <= 0:
                return said
            expanded = self._expanded(found, (*above, reference))
            return {**expanded, **said} if isinstance(expanded, dict) else expanded
        self._nodes_left -= bool(above)
        kept = {key: item for key, item in value.items() if key != "$defs" and not (above and self._is_too_long(item))}
        return _today({key: self._expanded(item, above) for key, item in kept.items()})

    def _is_too_long(self, value: object) -> bool:
        """Of a list, such as an `enum`: without it, the schema admits more."""
        return isinstance(value, list) and len(value) > max(self._nodes_left, 0)


def _today(schema: dict[str, Any]) -> dict[str, Any]:
    """What JSON Schema of today says otherwise than OpenAPI 3.0 and Swagger 2 did."""
    for strict, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(strict), bool) and schema.pop(strict) and bound in schema:
            schema[strict] = schema.pop(bound)
    return {**schema, "type": "string"} if schema.get("type") == "file" else schema


def _followed(document: Mapping[str, Any], value: object) -> Any:  # noqa: ANN401 - whatever JSON holds
    """What the value refers to, where it is a reference; what it holds is left as it is."""
    seen: set[str] = set()
    while isinstance(value, Mapping) and isinstance(reference := value.get("$ref"), str) and reference not in seen:
        seen.add(reference)
        value = _at(document, reference)
    return value


def _at(document: Mapping[str, Any], reference: str) -> Any:  # noqa: ANN401 - likewise
    """What stands there in the document; None where nothing does, or in another document."""
    if not reference.startswith("#/"):
        return None
    found: Any = document
    for part in reference[2:].split("/"):
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and key.isdecimal() and len(key) < 9:
            found = found[int(key)] if int(key) < len(found) else None
        else:
            found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _name(operation_id: object, method: str, path: object) -> str:
    said = operation_id if isinstance(operation_id, str) and operation_id else None
    words = said if said is not None else f"{method}_{_NO_NAME.sub('_', str(path)).strip('_')}"
    return _NO_NAME.sub("_", words)[:_MOST_CHARACTERS]


class _Names:
    """Gives none twice."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._last: dict[str, int] = {}  # number of each: a document may call all of its operations the same

    def unique(self, name: str) -> str:
        """The name, with a number where it is taken."""
        number, found = self._last.get(name, 1), name
        while found in self._taken:
            number += 1
            found = f"{name[: _MOST_CHARACTERS - len(str(number)) - 1]}_{number}"
        self._taken.add(found)
        self._last[name] = number
        return found


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
