"""Tables of others cost no more memory than somebody can have meant."""

import os
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from catalog import read_parquet
from catalog.untrusted.parquet_footer import n_values


def test_a_table_comes_whole_whatever_it_is_called(tmp_path: Path) -> None:
    table = pl.DataFrame({"score": [0.0, 1.0], "model": ["a", "b"]})
    table.write_parquet(tmp_path / "[1].parquet")
    assert read_parquet(tmp_path / "[1].parquet").equals(table)


def test_a_table_that_unpacks_to_far_more_than_it_is_is_not_read(tmp_path: Path) -> None:
    pl.DataFrame({"score": pl.repeat(1, 1_000_000, eager=True)}).write_parquet(tmp_path / "bomb.parquet")
    assert (tmp_path / "bomb.parquet").stat().st_size < 5_000
    assert read_parquet(tmp_path / "bomb.parquet").height == 1_000_000  # nothing to speak of
    with pytest.raises(OSError, match="Unpacks to 1,000,000 rows of 1 columns"):
        read_parquet(tmp_path / "bomb.parquet", most_cells=999_999)


def test_lists_within_a_row_count_by_their_values(tmp_path: Path) -> None:
    path, equal = tmp_path / "bomb.parquet", pl.repeat(7, 1_000_000, eager=True, dtype=pl.Int8)
    nested = pl.DataFrame({"query": ["a", "b"], "tools": [[{"ids": equal}], [{"ids": [1, 2]}, {"ids": []}]]})
    nested.write_parquet(path, compression="zstd")
    assert path.stat().st_size < 10_000
    assert read_parquet(path).equals(nested)
    assert n_values(path) == 2 + 1_000_003  # an empty list takes a place
    with pytest.raises(OSError, match="Unpacks to 1,000,005 values in 2 rows"):
        read_parquet(path, most_cells=1_000_004)


def test_values_are_counted_in_all_row_groups_and_columns_of_any_kind(tmp_path: Path) -> None:
    path = tmp_path / "many.parquet"
    table = pl.DataFrame(
        {
            f"column{number}": pl.Series([value] * 50)
            for number, value in enumerate([1, 0.5, True, "é", b"x", None, Decimal("1.5"), date(2026, 1, 1)] * 5)
        }
    )
    table.write_parquet(path, row_group_size=7, metadata={"key": "value"})
    assert n_values(path) == 50 * 40
    assert read_parquet(path).equals(table)


def test_a_footer_that_is_damaged_anywhere_is_told_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pl.DataFrame({"score": [0.0, 1.0], "ids": [["a"], []]}).write_parquet(path)
    whole = path.read_bytes()
    begins = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for at in range(begins, len(whole)):
        for byte in (0x00, 0x1C, 0x80, 0xFF):
            path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
            with suppress(ValueError):
                n_values(path)  # a damaged number may be any other


def test_nobody_waits_for_a_pipe_in_the_place_of_a_table(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.parquet")
    with pytest.raises(OSError, match="Is no regular file"):
        read_parquet(tmp_path / "pipe.parquet")
