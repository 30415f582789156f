"""Tables of tools and of labelled requests, as files."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from catalog import read_parquet, read_text
from eval.errors import InvalidReplayError, MissingDataError, MissingFileError
from predictors.tools import Tool, ToolRegistry, ToolUsage

if TYPE_CHECKING:
    import polars as pl

__all__ = ["LabelledRegistry", "public_registries", "read_labelled", "read_registry", "read_usage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledRegistry:
    """A registry with labelled requests to learn from and others to be judged on."""

    registry: ToolRegistry
    train: ToolUsage
    test: ToolUsage
    test_ids: tuple[str | int, ...]  # as their table has them, so that rankings can be joined to it

    @property
    def name(self) -> str:
        """The registry's name."""
        return self.registry.name

    @property
    def uses(self) -> dict[str, int]:
        """How many train requests used each tool; tools without use are left out."""
        counts: dict[str, int] = {}
        for ids in self.train.tool_ids:
            for tool_id in ids:
                counts[tool_id] = counts.get(tool_id, 0) + 1
        return counts


def read_labelled(registry: Path, train: Path, test: Path, *, name: str | None = None) -> LabelledRegistry:
    """Read Parquet files: tools (`tool_id, name, description, parameters_json`), queries (`query_id, query, tool_ids`).

    One file given for both train and test is divided by its `split` column. Test requests without labels are ranked
    and not judged; a label that the registry does not hold can never be found, and counts as missed.

    Raises:
        MissingFileError: a file is not there.
        InvalidReplayError: a column is missing.
    """
    made = read_registry(registry, name=name)
    split = {"split"} if train == test else set()
    past, asked = _read(train, {"query", "tool_ids"} | split), _read(test, {"query_id", "query"} | split)
    if train == test:
        past, asked = past.filter(past["split"] == "train"), asked.filter(asked["split"] == "test")
    labels = asked["tool_ids"].to_list() if "tool_ids" in asked.columns else [()] * len(asked)
    return LabelledRegistry(
        registry=made,
        train=ToolUsage.of(past["query"].to_list(), past["tool_ids"].to_list()),
        test=ToolUsage.of(asked["query"].to_list(), [ids or () for ids in labels]),
        test_ids=tuple(asked["query_id"].to_list()),
    )


def read_registry(path: Path, *, name: str | None = None) -> ToolRegistry:
    """Tools from Parquet, or from JSON with an OpenAI `tools` array; named after the folder unless told otherwise.

    Raises:
        MissingFileError: the file is not there.
        InvalidReplayError: it is no array of tools, or lacks a column.
    """
    if path.suffix == ".json":
        tools = _declared(path)
    else:
        tools = tuple(
            Tool(
                tool_id=row["tool_id"],
                name=row["name"] or "",
                description=row.get("description") or "",
                parameters=row.get("parameters_json") or "",
                category=row.get("category") or "",
            )
            for row in _read(path, {"tool_id", "name"}).iter_rows(named=True)
        )
    return ToolRegistry(name=name or path.resolve().parent.name or path.stem, tools=tools)


def read_usage(path: Path | None) -> ToolUsage:
    """Past requests and the tools they used; None is no usage.

    Raises:
        MissingFileError: the file is not there.
        InvalidReplayError: a column is missing.
    """
    if path is None:
        return ToolUsage()
    table = _read(path, {"query", "tool_ids"})
    return ToolUsage.of(table["query"].to_list(), table["tool_ids"].to_list())


def public_registries(data: Path) -> Iterator[Path]:
    """The folders under `data`/tools that hold both tools and labelled queries.

    Raises:
        MissingDataError: there is no such folder.
    """
    folder = data / "tools"
    if not folder.is_dir():
        raise MissingDataError(path=str(folder), holds="tools")
    yield from sorted(path.parent for path in folder.glob("*/queries.parquet"))


def _declared(path: Path) -> tuple[Tool, ...]:
    if not path.is_file():
        raise MissingFileError(path=str(path))
    try:
        found = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as exc:
        raise InvalidReplayError(f"{path} is no JSON: {exc}") from exc
    declared = found.get("tools") if isinstance(found, dict) else found
    if not isinstance(declared, list):
        raise InvalidReplayError(f"{path} holds no array of tools; give OpenAI's `tools`")
    return tuple(Tool.from_openai(entry) for entry in declared)


def _read(path: Path, columns: set[str]) -> "pl.DataFrame":
    import polars as pl  # noqa: PLC0415 - heavy, and needed only to measure

    if not path.is_file():
        raise MissingFileError(path=str(path))
    try:
        table = read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as exc:
        raise InvalidReplayError(f"{path} is no Parquet file that can be read: {str(exc).splitlines()[0]}") from exc
    if missing := columns - set(table.columns):
        raise InvalidReplayError(f"{path} lacks the column(s) {', '.join(sorted(missing))}")
    return table
