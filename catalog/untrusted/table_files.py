"""Reads tables of others within bounds: Parquet packs equal values so well that a kilobyte holds a billion rows."""

import errno
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .regular_files import check_file

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_parquet"]

_MOST_CELLS: Final = 100_000_000  # rows times columns, of a file of any size: a gigabyte or two in memory
_MOST_CELLS_PER_BYTE: Final = 100  # of larger tables; ours have one or fewer


def read_parquet(path: Path, *, most_cells: int = _MOST_CELLS) -> "pl.DataFrame":
    """The whole table. Needs polars.

    Raises:
        OSError: it is no regular file, or holds far more rows than anybody can have written there.
        polars.exceptions.PolarsError: it is no Parquet.
    """
    import polars as pl  # noqa: PLC0415 - heavy, and needed only where there are tables

    check_file(path)
    lazy = pl.scan_parquet(path, glob=False)
    n_columns = len(lazy.collect_schema())
    n_rows = int(lazy.select(pl.len()).collect().item())
    if n_rows * n_columns > max(most_cells, _MOST_CELLS_PER_BYTE * path.stat().st_size):
        raise OSError(errno.EFBIG, f"Unpacks to {n_rows:,} rows of {n_columns} columns", str(path))
    return pl.read_parquet(path, glob=False)
