"""Somebody deletes the spool, or the whole state directory, under a gateway that goes on answering."""

import fcntl
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import structlog

from gateway.journal import SqliteJournal
from gateway.journal.spool import Spool
from gateway.journal_store.segments import adopt_left_overs, segments_in
from tests.waiting import wait_until


def outcomes(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return [row[0] for row in db.execute("SELECT decision_id FROM outcomes ORDER BY seq")]


def write(journal: SqliteJournal, *numbers: int) -> None:
    for number in numbers:
        journal.write("outcome", {"decision_id": f"d{number}", "status": "ok"})


def test_a_spool_that_is_deleted_amid_serving_is_put_back_and_no_record_is_lost_or_counted_twice(
    tmp_path: Path,
) -> None:
    path = tmp_path / "journal.sqlite3"
    journal = SqliteJournal(path, drain_every_s=0.01)
    write(journal, *range(10))
    wait_until(lambda: journal.health.pending_bytes == 0)
    shutil.rmtree(tmp_path / "spool")
    write(journal, *range(10, 20))  # into a file that has no name any more
    wait_until(lambda: journal.health.pending_bytes == 0)
    write(journal, *range(20, 30))
    journal.close_now()
    assert outcomes(path) == [f"d{number}" for number in range(30)]
    assert journal.health.lost == 0
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_state_directory_that_is_deleted_amid_serving_is_made_anew_with_what_the_spool_still_had(
    tmp_path: Path,
) -> None:
    path = tmp_path / "state" / "journal.sqlite3"
    journal = SqliteJournal(path, drain_every_s=0.01)
    write(journal, *range(10))
    wait_until(lambda: journal.health.pending_bytes == 0)
    shutil.rmtree(tmp_path / "state")
    write(journal, *range(10, 20))
    wait_until(lambda: journal.health.pending_bytes == 0)
    journal.close_now()
    assert outcomes(path) == [f"d{number}" for number in range(20)]


def test_what_was_lost_with_a_deleted_spool_is_told(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as log, closing(sqlite3.connect(tmp_path / "journal.sqlite3")) as holding:
        holding.execute("BEGIN EXCLUSIVE")  # nothing reaches the store meanwhile
        journal = SqliteJournal(tmp_path / "journal.sqlite3", busy_timeout_s=0.1, segment_bytes=2_000)
        write(journal, *range(40))
        assert len(segments_in(next((tmp_path / "spool").iterdir()))) > 1
        shutil.rmtree(tmp_path / "spool")
        wait_until(lambda: journal.health.lost)
        holding.rollback()
        wait_until(lambda: journal.health.pending_bytes == 0)
        journal.close_now()
    (told,) = [entry for entry in log if entry["event"] == "journal_spool_restored"]
    kept = outcomes(tmp_path / "journal.sqlite3")
    assert told["lost_bytes"] > 0
    assert kept == [f"d{number}" for number in range(40 - len(kept), 40)]  # those of the last segment


def test_a_spool_that_was_put_back_is_its_writers_and_nobody_takes_it_over(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(b"a line\n")
    shutil.rmtree(spool.folder)
    restored = spool.restore()
    assert restored is not None
    assert restored.lost_bytes == 0
    assert list(adopt_left_overs(tmp_path)) == []
    with (spool.folder / "lock").open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert spool.restore() is None  # everything is in its place
    spool.append(b"another\n")
    assert [segment.read_bytes() for segment in segments_in(spool.folder)] == [b"a line\nanother\n"]
    spool.close()
    assert spool.restore() is None


def test_what_was_deleted_takes_no_room_in_a_spool_any_more(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=10)
    for line in (b"a first\n", b"second\n", b"third\n"):
        spool.append(line)
    assert spool.held_bytes == 21
    shutil.rmtree(spool.folder)
    spool.restore()
    assert spool.held_bytes == len(b"third\n")
    spool.moved(segment=3, offset=6)
    assert (spool.held_bytes, spool.pending_bytes) == (6, 0)
    spool.close()
