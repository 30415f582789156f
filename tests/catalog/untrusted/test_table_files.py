"""Tables of others cost no more memory than somebody can have meant."""

import os
from pathlib import Path

import polars as pl
import pytest

from catalog import read_parquet


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


def test_nobody_waits_for_a_pipe_in_the_place_of_a_table(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.parquet")
    with pytest.raises(OSError, match="Is no regular file"):
        read_parquet(tmp_path / "pipe.parquet")
