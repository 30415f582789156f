"""A whole hub of models, hundreds of thousands of records, on disk: streamed in, filtered without being read whole.

A record is one JSON line with the fields that the hub's own listing has. The records become one Parquet file; polars
scans it lazily, so neither import nor filter holds more than a batch in memory. Needs `paretogate[train]`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from catalog.errors import ImportFailedError
from catalog.untrusted.regular_files import check_file

__all__ = ["HubImport", "find_records", "import_records"]

_BLOCK_BYTES = 8_000_000  # large enough for polars to be quick, small enough for any memory
_ORDERS = {"downloads": True, "likes": True, "released": True, "params_b": False, "id": False}  # largest first?


@dataclass(frozen=True, slots=True, kw_only=True)
class HubImport:
    """How many records came in, and how many lines were left out because they are none."""

    imported: int
    left_out: int


def import_records(source: Path, out: Path) -> HubImport:
    """Stream JSON lines into a Parquet file, in their own order and in bounded memory.

    Read are `id` (owner/name), `license`, `pipeline_tag`, `base_model`, `downloads`, `likes`, `params` (a count) and
    `created_at`; a field that is absent or of the wrong kind is unknown. A line that is no JSON or has no id is left
    out and counted.

    Raises:
        ImportFailedError: polars is not installed, or the file cannot be read or written.
    """
    pl = _polars(source)
    try:
        check_file(source)
    except OSError as exc:
        raise ImportFailedError(source=str(source), problem=exc.strerror or "cannot be read") from exc
    schema = {
        "id": pl.String, "license": pl.String, "pipeline_tag": pl.String, "base_model": pl.String,
        "downloads": pl.Int64, "likes": pl.Int64, "params": pl.Float64, "created_at": pl.String,
    }  # fmt: skip
    blocks = _Blocks(source, schema)
    try:
        lines = pl.io.plugins.register_io_source(blocks.frames, schema=schema)
        good = lines.filter(pl.col("id").str.contains(r"^\S+/\S+$")).select(
            pl.col("id").str.to_lowercase(),
            "license",
            "pipeline_tag",
            "base_model",
            "downloads",
            "likes",
            (pl.when(pl.col("params") > 0).then(pl.col("params")) / 1e9).alias("params_b"),
            pl.col("created_at").str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).alias("released"),
        )
        good.sink_parquet(out, compression="zstd", row_group_size=50_000)
        imported = int(pl.scan_parquet(out).select(pl.len()).collect().item())
    except (OSError, pl.exceptions.PolarsError) as exc:
        raise ImportFailedError(source=str(source), problem=f"{exc!s:.160}") from exc
    return HubImport(imported=imported, left_out=blocks.lines - imported)


def find_records(
    path: Path,
    *,
    name: str | None = None,
    licenses: Sequence[str] = (),
    task: str | None = None,
    max_params_b: float | None = None,
    released_after: date | None = None,
    sort: str = "downloads",
    limit: int = 60,
) -> list[dict[str, Any]]:
    """The records that pass every filter, best first; an unknown fact does not pass a filter on it.

    Args:
        path: what `import_records` wrote.
        name: part of the id, in any letter case.
        licenses: one of these.
        task: the hub's pipeline tag.
        max_params_b: at most so many billion parameters.
        released_after: a day.
        sort: downloads, likes, released, params_b or id.
        limit: at most so many.

    Raises:
        ImportFailedError: polars is not installed, or the file is not what `import_records` writes.
    """
    pl = _polars(path)
    wanted: list[Any] = []  # of polars expressions
    if name:
        wanted.append(pl.col("id").str.contains(name.casefold(), literal=True))
    if licenses:
        wanted.append(pl.col("license").is_in([text.casefold() for text in licenses]))
    if task:
        wanted.append(pl.col("pipeline_tag") == task)
    if max_params_b is not None:
        wanted.append(pl.col("params_b") <= max_params_b)
    if released_after is not None:
        wanted.append(pl.col("released") > released_after)
    if sort not in _ORDERS:
        raise ImportFailedError(
            source=str(path), problem=f"cannot be sorted by {sort}; choose from {', '.join(_ORDERS)}"
        )
    try:
        found = pl.scan_parquet(path).filter(*wanted) if wanted else pl.scan_parquet(path)
        order = found.sort(sort, "id", descending=[_ORDERS[sort], False], nulls_last=True)
        return list(order.head(limit).collect().to_dicts())
    except (OSError, pl.exceptions.PolarsError) as exc:
        raise ImportFailedError(source=str(path), problem=f"is no file of hub records: {exc!s:.120}") from exc


class _Blocks:
    """A file of JSON lines in frames of some megabytes each: polars by itself would map the whole file."""

    def __init__(self, path: Path, schema: Mapping[str, Any]) -> None:
        self.lines = 0
        self._path, self._schema = path, schema

    def frames(
        self,
        with_columns: list[str] | None,
        predicate: Any,  # noqa: ANN401 - a polars expression
        n_rows: int | None,
        batch_size: int | None,
    ) -> Iterator[Any]:
        """The frames, as polars asks its sources for them."""
        del batch_size
        pl = _polars(self._path)
        with self._path.open("rb") as file:
            while block := file.readlines(_BLOCK_BYTES):
                stated = [line for line in block if line.strip()]
                self.lines += len(stated)
                frame = pl.read_ndjson(b"".join(stated), schema=self._schema, ignore_errors=True)
                frame = frame if predicate is None else frame.filter(predicate)
                frame = frame if with_columns is None else frame.select(with_columns)
                yield frame if n_rows is None else frame.head(n_rows)


def _polars(path: Path) -> Any:  # noqa: ANN401 - a module
    try:
        import polars as pl  # noqa: PLC0415 - only whole hubs need it
    except ImportError as exc:
        problem = "many records need polars; pip install 'paretogate[train]'"
        raise ImportFailedError(source=str(path), problem=problem) from exc
    return pl
