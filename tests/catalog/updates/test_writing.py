import os
import subprocess
import sys
from pathlib import Path

import pytest

from catalog import Catalog, ImportFailedError, ModelProfile
from catalog.updates.writing import write_compiled

OLD = Catalog.of([ModelProfile(id="acme/old", name="old")])
NEW = Catalog.of([ModelProfile(id="acme/new", name="new")])


def test_a_catalog_takes_the_place_of_another_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "catalog.json"
    write_compiled(path, OLD.pack())
    write_compiled(path, NEW.pack())
    assert [profile.id for profile in Catalog.load(path)] == ["acme/new"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"{}", b"<html>", NEW.pack()[:-20], NEW.pack().replace(b'"acme/new"', b"7")])
def test_what_cannot_be_read_again_replaces_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "catalog.json"
    write_compiled(path, OLD.pack())
    with pytest.raises(ImportFailedError, match=r"catalog\.json: .* replaced nothing"):
        write_compiled(path, content)
    assert path.read_bytes() == OLD.pack()
    assert list(tmp_path.iterdir()) == [path]


def test_of_a_link_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    path, link = tmp_path / "catalog.json", tmp_path / "link.json"
    write_compiled(path, OLD.pack())
    link.symlink_to(path)
    write_compiled(link, NEW.pack())
    assert link.is_symlink()
    assert path.read_bytes() == NEW.pack()


def test_a_place_that_cannot_be_written_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ImportFailedError, match=r"catalog\.json: cannot be written .* --out"):
        write_compiled(tmp_path / "absent" / "catalog.json", NEW.pack())


def test_what_a_killed_process_had_begun_is_cleared_away_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    path = tmp_path / "catalog.json"
    abandoned, begun = (tmp_path / f".catalog.json.{pid}.new" for pid in (gone.pid, os.getppid()))
    others = [tmp_path / f".other.json.{gone.pid}.new", tmp_path / ".catalog.json.mine.new"]
    for file in (abandoned, begun, *others):
        file.write_bytes(b"{")
    write_compiled(path, NEW.pack())
    assert sorted(tmp_path.iterdir()) == sorted([path, begun, *others])
