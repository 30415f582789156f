"""A registry and its labelled requests as files, small enough to reckon by hand."""

from pathlib import Path

import polars as pl

__all__ = ["write_tool_files"]


def write_tool_files(folder: Path) -> tuple[Path, Path]:
    """Three tools and six requests; the last two are test."""
    tools, queries = folder / "tools.parquet", folder / "queries.parquet"
    pl.DataFrame(
        {
            "tool_id": ["w", "c", "f"],
            "name": ["getWeather", "convert_currency", None],
            "description": ["Weather forecast of a city.", "Convert dollar into euro.", "Book a flight."],
            "parameters_json": ['{"city": {"type": "string"}}', "", None],
            "category": ["", "", ""],
        }
    ).write_parquet(tools)
    pl.DataFrame(
        {
            "query_id": [f"q{i}" for i in range(6)],
            "query": ["rain today", "rain in Bern", "swap euro", "fly me out", "will it rain", "convert to euro"],
            "tool_ids": [["w"], ["w"], ["c"], ["f"], ["w"], ["c"]],
            "split": ["train"] * 4 + ["test"] * 2,
        }
    ).write_parquet(queries)
    return tools, queries
