"""What the process beside a worker does, step by step."""

import os
import sqlite3
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from gateway.journal import JournalReader
from gateway.journal_store import Keeper, Progress, SqliteStore, lock_folder, segment_path

LINE = b'{"kind":"decision","at":1.0,"columns":[%s,"%s",null,null,null],"record":{"decision_id":"%s"}}\n'
NOW_S = 1_000_000.0
HELD: list[int] = []


def line(decision_id: bytes, *, time: bytes = b"null") -> bytes:
    return LINE % (time, decision_id, decision_id)


def keeper(root: Path, *, busy_timeout_s: float = 5.0, **more: object) -> Keeper:
    open_store = partial(SqliteStore, root / "journal.sqlite3", busy_timeout_s=busy_timeout_s)
    return Keeper(open_store, root / "spool" / "me", clock=lambda: NOW_S, **more)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def locks_are_given_back() -> Iterator[None]:
    yield
    while HELD:
        os.close(HELD.pop())


def spooled(root: Path, *segments: bytes, writer: str = "me") -> Path:
    folder = root / "spool" / writer
    folder.mkdir(parents=True)
    if writer != "dead":
        HELD.append(lock_folder(folder))
    for number, content in enumerate(segments, start=1):
        segment_path(folder, number).write_bytes(content)
    return folder


def stored_ids(root: Path) -> list[str]:
    with JournalReader(root / "journal.sqlite3") as reader:
        return [str(call.decision["decision_id"]) for call in reader.calls()]


def test_finished_segments_are_deleted_and_the_current_one_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    folder = spooled(tmp_path, line(b"d1") + line(b"d2"), line(b"d3") + b'{"kind":"deci')
    assert keeper(tmp_path).work() == Progress(segment=2, offset=len(line(b"d3")))
    assert stored_ids(tmp_path) == ["d1", "d2", "d3"]
    assert [path.name for path in folder.glob("*.jsonl")] == ["00000002.jsonl"]


def test_what_a_dead_writer_left_is_taken_over_but_not_what_a_living_one_has(tmp_path: Path) -> None:
    spooled(tmp_path, line(b"mine"))
    dead = spooled(tmp_path, line(b"left behind"), writer="dead")
    living = spooled(tmp_path, line(b"another's"), writer="living")
    keeper(tmp_path).work()
    assert stored_ids(tmp_path) == ["left behind", "mine"]
    assert (dead.exists(), living.exists()) == (False, True)


def test_a_folder_that_another_has_just_taken_over_to_remove_it_hinders_nobody(tmp_path: Path) -> None:
    """Between its lock's end and its own, others find a folder that nobody holds."""

    class Overtaken(SqliteStore):
        def position(self, segment: str) -> int:
            (tmp_path / "spool" / "dead" / "subfolder").mkdir(exist_ok=True)  # what rmdir(2) finds: not empty
            return super().position(segment)

    spooled(tmp_path, line(b"mine"))
    spooled(tmp_path, line(b"left"), writer="dead")
    work = Keeper(partial(Overtaken, tmp_path / "journal.sqlite3"), tmp_path / "spool" / "me", clock=lambda: NOW_S)
    work.work()
    assert sorted(stored_ids(tmp_path)) == ["left", "mine"]
    with SqliteStore(tmp_path / "journal.sqlite3")._db as database:
        assert database.execute("SELECT name FROM segments WHERE name LIKE 'dead%'").fetchall() == []


def test_a_folder_whose_maker_was_killed_is_cleared_and_one_that_is_being_made_is_not(tmp_path: Path) -> None:
    spooled(tmp_path, line(b"mine"))
    left, begun = tmp_path / "spool" / "a.new", tmp_path / "spool" / "b.new"
    for unfinished in (left, begun):
        unfinished.mkdir()
        (unfinished / "lock").touch()
    os.utime(left, (time.time() - 7_200, time.time() - 7_200))
    keeper(tmp_path).work()
    assert sorted(path.name for path in (tmp_path / "spool").iterdir()) == ["b.new", "me"]


def test_a_journal_that_two_open_at_once_keeps_the_identity_that_it_got_first(tmp_path: Path) -> None:
    """Readers that remembered the first would count everything again."""
    identities = []

    class Overtaken(SqliteStore):
        def _transaction(self):
            if not identities:
                identities.append(0)
                faster = SqliteStore(self.path)
                identities.append(faster.identity)
                faster.close()
            return super()._transaction()

    slower = Overtaken(tmp_path / "journal.sqlite3")
    assert slower.identity == identities[1]
    slower.close()


def test_a_torn_line_at_the_end_is_kept_apart_and_told(tmp_path: Path) -> None:
    folder = spooled(tmp_path, line(b"d1") + b'{"kind":"deci')
    noted: list[tuple[str, object]] = []
    keeper(tmp_path, note=lambda event, **facts: noted.append((event, facts["bytes"]))).finish()
    assert noted == [("journal_line_torn", 13)]
    assert stored_ids(tmp_path) == ["d1"]
    assert not folder.exists()
    with JournalReader(tmp_path / "journal.sqlite3") as reader:
        assert reader.counts()["damaged"] == 1


def test_what_is_older_than_the_retention_is_forgotten(tmp_path: Path) -> None:
    three_days_ago, yesterday = (str(NOW_S - days * 86_400).encode() for days in (3, 1))
    spooled(tmp_path, line(b"old", time=three_days_ago) + line(b"new", time=yesterday))
    keeper(tmp_path, keep_days=2).work()
    assert stored_ids(tmp_path) == ["new"]


def test_a_locked_store_changes_nothing_and_is_tried_again(tmp_path: Path) -> None:
    spooled(tmp_path, line(b"d1"))
    tried = keeper(tmp_path, busy_timeout_s=0.01)
    tried.work()
    with segment_path(tmp_path / "spool" / "me", 1).open("ab") as segment:
        segment.write(line(b"d2"))
    other = sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        tried.work()
    other.execute("ROLLBACK")
    other.close()
    tried.drop()
    tried.work()
    assert stored_ids(tmp_path) == ["d1", "d2"]


def test_a_spool_that_somebody_deleted_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="deleted the spool"):
        keeper(tmp_path).work()
