"""Tools read from what providers publish: declarations in JSON, OpenAPI documents, tables, and running MCP servers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from predictors.tools import ToolUsage

from .errors import InvalidRegistryError
from .registries import StoredTool

__all__ = ["Imported", "read_file", "tools_of_json"]

_METHODS = ("get", "post", "put", "patch", "delete")
_READS, _DESTROYS = "get", "delete"
_MAX_REFERENCES = 20  # followed within one schema; deeper ones are left as they are


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What a source held."""

    tools: tuple[StoredTool, ...]
    usage: ToolUsage
    server: Mapping[str, Any] | None = None


def read_file(path: Path, *, usage: Path | None = None) -> Imported:
    """Tools of a file: Parquet by its columns, JSON and YAML by their shape; `usage` is a Parquet file of requests.

    Raises:
        InvalidRegistryError: it cannot be read, or holds no tools.
    """
    used = _read_usage(usage) if usage is not None else ToolUsage()
    if path.suffix == ".parquet":
        return Imported(tools=tuple(_rows(path)), usage=used)
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix in {".yaml", ".yml"}:
            import yaml  # noqa: PLC0415 - only where there is such a file

            value = yaml.safe_load(text)
        else:
            value = json.loads(text)
    except (OSError, ValueError) as exc:
        raise InvalidRegistryError(f"{path}: cannot be read: {' '.join(str(exc).split())[:200]}") from exc
    return Imported(tools=tools_of_json(value, where=str(path)), usage=used)


def tools_of_json(value: object, *, where: str = "tools") -> tuple[StoredTool, ...]:
    """Tools of parsed JSON: an OpenAPI document, or a list of declarations as OpenAI, Anthropic or MCP write them.

    Raises:
        InvalidRegistryError: it is none of these.
    """
    if isinstance(value, Mapping) and isinstance(value.get("paths"), Mapping):
        return tuple(_operations(value))
    entries = value.get("tools") if isinstance(value, Mapping) else value
    if not isinstance(entries, list) or not entries:
        raise InvalidRegistryError(f"{where}: holds no list of tools and is no OpenAPI document")
    return tuple(_declared(entry, f"{where}[{at}]") for at, entry in enumerate(entries))


def _declared(entry: object, where: str) -> StoredTool:
    function = entry.get("function", entry) if isinstance(entry, Mapping) else None
    if not isinstance(function, Mapping):
        raise InvalidRegistryError(f"{where}: must be an object with a name")
    schema = next(
        (function[k] for k in ("parameters", "input_schema", "inputSchema", "schema") if function.get(k)), None
    )
    return StoredTool(
        name=function.get("name") or "",
        description=function.get("description") or "",
        schema=schema,
        category=function.get("category") or "",
        annotations=function.get("annotations") or {},
        risk=function.get("risk"),
    )


def _operations(document: Mapping[str, Any]) -> Iterator[StoredTool]:
    """One tool per operation. HTTP's own words say what a method may do, as an MCP server's hints would."""
    for path, item in document["paths"].items():
        for method in _METHODS:
            operation = item.get(method) if isinstance(item, Mapping) else None
            if not isinstance(operation, Mapping):
                continue
            parameters = [*_list(item.get("parameters")), *_list(operation.get("parameters"))]
            yield StoredTool(
                name=str(operation.get("operationId") or _name(method, path)),
                description="\n".join(
                    str(operation[k]) for k in ("summary", "description") if isinstance(operation.get(k), str)
                ),
                schema=_arguments(document, parameters, operation.get("requestBody")),
                category=str(next(iter(_list(operation.get("tags"))), "")),
                annotations={"readOnlyHint": method == _READS, "destructiveHint": method == _DESTROYS},
            )


def _arguments(document: Mapping[str, Any], parameters: Sequence[object], body: object) -> dict[str, Any]:
    """Path, query and body parameters as one object, the body's own fields beside the others."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    for given in parameters:
        parameter = _resolved(document, given)
        if not isinstance(parameter, Mapping) or not isinstance(parameter.get("name"), str):
            continue
        schema = _resolved(document, parameter.get("schema") or {"type": parameter.get("type", "string")})
        properties[parameter["name"]] = {**schema, "description": parameter.get("description", "")}
        if parameter.get("required"):
            required.append(parameter["name"])
    content = (_resolved(document, body) or {}).get("content") if body else None
    media: Any = next(iter(content.values()), {}) if isinstance(content, Mapping) else {}
    schema = _resolved(document, media.get("schema") or {}) if isinstance(media, Mapping) else {}
    properties.update(schema.get("properties") or {})
    required += [name for name in _list(schema.get("required")) if name not in required]
    return {"type": "object", "properties": properties, "required": required}


def _resolved(document: Mapping[str, Any], value: Any, depth: int = 0) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The value with references into the same document followed."""
    if isinstance(value, list):
        return [_resolved(document, item, depth + 1) for item in value]
    if not isinstance(value, Mapping) or depth > _MAX_REFERENCES:
        return value
    reference = value.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        found: Any = document
        for part in reference[2:].split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, Mapping) else {}
        return _resolved(document, found, depth + 1)
    return {key: _resolved(document, item, depth + 1) for key, item in value.items()}


def _name(method: str, path: str) -> str:
    words = "".join(c if c.isalnum() else "_" for c in path).strip("_")
    return f"{method}_{words}"[:64]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _rows(path: Path) -> Iterator[StoredTool]:
    for row in _table(path):
        parameters = row.get("parameters_json") or row.get("parameters") or ""
        try:
            schema = json.loads(parameters) if parameters else None
        except ValueError:
            schema = None
        yield StoredTool(
            name=str(row.get("tool_id") or row.get("name") or ""),
            description=str(row.get("description") or ""),
            schema=schema if isinstance(schema, Mapping) else None,
            category=str(row.get("category") or ""),
        )


def _read_usage(path: Path) -> ToolUsage:
    rows = _table(path)
    if rows and not {"query", "tool_ids"} <= rows[0].keys():
        raise InvalidRegistryError(f"{path}: needs the columns query and tool_ids")
    return ToolUsage.of([row["query"] for row in rows], [row["tool_ids"] for row in rows])


def _table(path: Path) -> list[dict[str, Any]]:
    import polars as pl  # noqa: PLC0415 - of the extra `train`

    try:
        return pl.read_parquet(path).to_dicts()
    except (OSError, pl.exceptions.PolarsError) as exc:
        raise InvalidRegistryError(f"{path}: is no Parquet file that can be read") from exc
