from pathlib import Path

import pytest

from catalog import ImportFailedError
from catalog.compilation.tables import read_table


def test_an_absent_table_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ImportFailedError, match=r"models\.parquet: is absent.*--data"):
        read_table(tmp_path / "models.parquet")


def test_a_file_that_is_no_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "models.parquet").write_text("nothing of the kind")
    with pytest.raises(ImportFailedError, match=r"models\.parquet: is no Parquet table"):
        read_table(tmp_path / "models.parquet")
