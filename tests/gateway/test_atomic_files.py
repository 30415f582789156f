import os
import resource
import time
from pathlib import Path

import pytest

from gateway.atomic_files import temporary_copy, write_atomically


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_file_is_replaced_as_a_whole_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777, names(tmp_path)) == (b"new", 0o600, {"kept.json"})


def test_folders_that_are_made_for_it_are_their_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_atomically(tmp_path / "state" / "tools" / "kept.json", b"x")
    finally:
        os.umask(before)
    assert [oct(path.stat().st_mode & 0o777) for path in (tmp_path / "state", tmp_path / "state" / "tools")] == [
        "0o700",
        "0o700",
    ]


def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    write_atomically(path, b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))  # the kernel refuses more, as it does on a full disk
    try:
        with pytest.raises(OSError, match=r"File too large: '.*kept\.json'"):
            write_atomically(path, b"new" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (path.read_bytes(), names(tmp_path)) == (b"old", {"kept.json"})


def test_what_a_killed_writer_left_is_cleared_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    left, begun = tmp_path / "1.jsonxyz.paretogate-part", tmp_path / "2.jsonabc.paretogate-part"
    foreign = tmp_path / "film.part"  # of whoever else keeps files there
    for file in (left, begun, foreign):
        file.touch()
    for file in (left, foreign):
        os.utime(file, (time.time() - 7_200, time.time() - 7_200))
    with temporary_copy(tmp_path / "3.json", b"{}"):
        assert not left.exists()
    assert names(tmp_path) == {"2.jsonabc.paretogate-part", "film.part"}
