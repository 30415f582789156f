"""Tools read from what providers publish: declarations in JSON, OpenAPI documents, tables, and running MCP servers."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog import parse_yaml, read_parquet, read_text
from gateway.tools.errors import InvalidRegistryError
from gateway.tools.registries import StoredTool
from predictors.tools import ToolUsage

from .openapi import operations

__all__ = ["Imported", "plain_json", "read_file", "tools_of_json"]

_MOST_DEEP = 100  # as deep as a request's body may be
_BOOLEANS = re.compile(r"true|True|TRUE|false|False|FALSE")
_LONGEST = 1 << 63  # integers beyond have no place in the JSON of many programs


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
        text = read_text(path)
        value = _yaml(text) if path.suffix in {".yaml", ".yml"} else json.loads(text)
    except (OSError, ValueError, RecursionError) as exc:
        raise InvalidRegistryError(f"{path}: cannot be read: {' '.join(str(exc).split())[:200]}") from exc
    return Imported(tools=tools_of_json(value, where=str(path)), usage=used)


def tools_of_json(value: object, *, where: str = "tools") -> tuple[StoredTool, ...]:
    """Tools of parsed JSON: an OpenAPI document, or a list of declarations as OpenAI, Anthropic or MCP write them.

    Raises:
        InvalidRegistryError: it is none of these.
    """
    value = plain_json(value, where)
    if isinstance(value, Mapping) and isinstance(value.get("paths"), Mapping):
        if not (found := tuple(operations(value))):
            raise InvalidRegistryError(f"{where}: this OpenAPI document has no operations")
        return found
    entries = value.get("tools") if isinstance(value, Mapping) else value
    if not isinstance(entries, list) or not entries:
        raise InvalidRegistryError(f"{where}: holds no list of tools and is no OpenAPI document")
    return tuple(_declared(entry, f"{where}[{at}]") for at, entry in enumerate(entries))


def plain_json(value: object, where: str = "tools", depth: int = 0) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The value as JSON can say it everywhere: keys are texts, and numbers those of other programs, too.

    YAML has dates and keys that are numbers; Python reads integers of any length.

    Raises:
        InvalidRegistryError: it is nested too deep.
    """
    if depth > _MOST_DEEP:
        raise InvalidRegistryError(f"{where}: nested deeper than {_MOST_DEEP} levels")
    if isinstance(value, Mapping):
        return {_text(key): plain_json(item, where, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_json(item, where, depth + 1) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return value if isinstance(value, int) and abs(value) < _LONGEST else _finite(value)
    return _text(value)


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


def _finite(number: float) -> float | None:
    try:
        return float(number) if math.isfinite(number) else None
    except OverflowError:
        return None


def _text(value: object) -> str:
    return str(value).encode("utf-8", "replace").decode()  # half of a character that was written as two is none


def _yaml(text: str) -> object:
    """By the words that OpenAPI asks for, which are JSON's: `on`, `no` and dates are texts.

    Raises:
        ValueError: it is no YAML.
    """
    import yaml  # noqa: PLC0415 - only where there is such a file

    class Loader(yaml.SafeLoader):
        """Resolves fewer words than YAML 1.1 does."""

    Loader.yaml_implicit_resolvers = {
        first: [(tag, _BOOLEANS if tag.endswith(":bool") else form) for tag, form in known if not tag.endswith("stamp")]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return parse_yaml(text, loader=Loader)


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
        return read_parquet(path).to_dicts()
    except (OSError, pl.exceptions.PolarsError) as exc:
        raise InvalidRegistryError(f"{path}: is no Parquet file that can be read: {str(exc).splitlines()[0]}") from exc
