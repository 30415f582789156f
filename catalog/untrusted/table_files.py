"""Reads tables of others within bounds: Parquet packs equal values so well that a kilobyte holds a billion of them."""

import errno
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .parquet_footer import n_values
from .regular_files import check_file

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_parquet"]

_MOST_CELLS: Final = 100_000_000  # values, those in lists too, of a file of any size: a gigabyte or two in memory
_MOST_CELLS_PER_BYTE: Final = 100  # of larger tables; ours have one or fewer


def read_parquet(path: Path, *, most_cells: int = _MOST_CELLS) -> "pl.DataFrame":
    """The whole table. Needs polars.

    Raises:
        OSError: it is no regular file, is damaged, or holds far more than anybody can have written there.
        polars.exceptions.PolarsError: it is no Parquet.
    """
    import polars as pl  # noqa: PLC0415 - heavy, and needed only where there are tables

    check_file(path)
    lazy = pl.scan_parquet(path, glob=False)
    n_columns = len(lazy.collect_schema())
    n_rows = int(lazy.select(pl.len()).collect().item())
    most = max(most_cells, _MOST_CELLS_PER_BYTE * path.stat().st_size)
    if n_rows * n_columns > most:
        raise OSError(errno.EFBIG, f"Unpacks to {n_rows:,} rows of {n_columns} columns", str(path))
    if (found := _n_values(path)) > most:
        raise OSError(errno.EFBIG, f"Unpacks to {found:,} values in {n_rows:,} rows", str(path))
    return pl.read_parquet(path, glob=False)


def _n_values(path: Path) -> int:
    try:
        return n_values(path)
    except ValueError as exc:
        raise OSError(errno.EINVAL, f"Is no Parquet that can be read: {exc}", str(path)) from exc
