import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog import make_private


@pytest.fixture
def lax_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("lax_umask")
def test_folders_that_are_made_are_their_owners_alone_and_those_that_are_there_stay(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir(mode=0o755)
    for _ in range(2):
        make_private(there / "state" / "tools" / "usage")
    modes = [oct(path.stat().st_mode & 0o777) for path in (there, there / "state", *(there / "state").rglob("*"))]
    assert modes == ["0o755", "0o700", "0o700", "0o700"]


def test_a_file_in_its_place_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_private(tmp_path / "file")
