"""The tables that a catalog is compiled from, read by key: only what may be redistributed, and only chat models.

Every reader raises ImportFailedError where a table is absent or is no Parquet file.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import ImportFailedError

from .rows import SOURCES, Row, is_hosts, rank

if TYPE_CHECKING:
    import polars as pl

__all__ = ["NOT_CHAT", "bases_by_key", "read_table", "routing_rows", "routing_sizes", "rows_by_key", "siblings_by_key"]

_PERMISSIVE_ROUTING = ("routellm", "mmlu_pro", "zeroeval", "llmrouter", "arena_bench_v1")
NOT_CHAT = re.compile(
    r"embed|rerank|whisper|tts|image|imagen|veo|lyria|dall-e|sora|flux|moderation|transcribe|realtime|-ocr|ocr-|"
    r"speech|audio|guard|safeguard|-live|stable-diffusion|deep-research|search-preview|search-api|nemoretriever|"
    r"-dspy-|-reward|parakeet|music|video|voxtral|wan2|kling|robotics|computer-use"
)


def read_table(path: Path) -> "pl.DataFrame":
    """One table, whole.

    Raises:
        ImportFailedError: the file is absent or is no Parquet file.
    """
    import polars as pl  # noqa: PLC0415 - only the compile step reads tables

    try:
        return pl.read_parquet(path)
    except OSError as exc:
        problem = "is absent or cannot be read; --data names the folder that holds catalog/ and routing/"
        raise ImportFailedError(source=str(path), problem=problem) from exc
    except pl.exceptions.ComputeError as exc:
        raise ImportFailedError(source=str(path), problem=f"is no Parquet table: {exc}") from exc


def rows_by_key(data: Path, *, wanted: set[str]) -> dict[str, list[dict[str, Any]]]:
    """Rows of the allowed sources, best source first, for the chat models worth a profile."""
    import polars as pl  # noqa: PLC0415

    table = read_table(data / "catalog" / "models.parquet").filter(pl.col("source").is_in(SOURCES))
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in table.sort("source", "provider", "model_id").to_dicts():
        text_out = row["modalities_out"] is None or "text" in row["modalities_out"].split(",")
        if row["model_key"] and text_out and not NOT_CHAT.search(row["model_key"]):
            grouped.setdefault(row["model_key"], []).append(row)
    for rows in grouped.values():
        rows.sort(key=rank)
    return {key: rows for key, rows in grouped.items() if key in wanted or _notable(rows)}


def routing_rows(data: Path) -> list[Row]:
    """How routing datasets call their models, by key; of datasets that may not ship, only models with a fact."""
    table = read_table(data / "catalog" / "routing_names.parquet")
    return [
        row
        for row in table.sort("dataset", "model").to_dicts()
        if row["dataset"] in _PERMISSIVE_ROUTING or row["has_params"] or row["has_price"]
    ]


def routing_sizes(data: Path) -> dict[str, float]:
    """Key -> billions of parameters, as the routing datasets that may ship state them."""
    names = read_table(data / "catalog" / "routing_names.parquet").select("dataset", "model", "model_key").rows()
    key_of = {(dataset, model): key for dataset, model, key in names}
    sizes: dict[str, float] = {}
    for dataset in _PERMISSIVE_ROUTING:
        path = data / "routing" / dataset / "models.parquet"
        for model, params_b in read_table(path).select("model", "params_b").rows():
            if params_b and (dataset, model) in key_of:
                sizes.setdefault(key_of[dataset, model], float(params_b))
    return sizes


def siblings_by_key(data: Path) -> dict[str, tuple[str, ...]]:
    """Key -> keys of the same base: other dates and previews of one model."""
    table = read_table(data / "catalog" / "benchmarks.parquet").select("model_key", "model_base").unique()
    of_base: dict[str, list[str]] = {}
    for key, base in sorted(table.rows()):
        of_base.setdefault(base, []).append(key)
    siblings = {key: tuple(keys) for keys in of_base.values() for key in keys}
    return siblings | {base: tuple(keys) for base, keys in of_base.items()}


def bases_by_key(data: Path) -> dict[str, str]:
    """Key -> the same without its date, as the tables have it."""
    bases: dict[str, str] = {}
    for table in ("benchmarks", "models", "routing_names"):
        rows = read_table(data / "catalog" / f"{table}.parquet").select("model_key", "model_base").unique()
        bases |= {key: base for key, base in sorted(rows.drop_nulls().rows()) if key != base}
    return bases


def _notable(rows: Sequence[Row]) -> bool:
    """Listed by its maker or by a registry; or sold by two hosts, so that it is no one-off."""
    return any(not is_hosts(row) for row in rows) or len({row["provider"] for row in rows}) >= 2
