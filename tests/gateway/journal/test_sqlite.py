import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.journal import JournalFullError, JournalReader, SqliteJournal

WRITER = """
import sys
from pathlib import Path
from gateway.journal import SqliteJournal

journal = SqliteJournal(Path(sys.argv[1]), segment_bytes=20_000, drain_every_s=0.01)
for number in range(1_000_000):
    journal.write("decision", {"decision_id": f"d{number}", "padding": "x" * 300})
    sys.stdout.write(f"{number}\\n")  # the acknowledgement
    sys.stdout.flush()
"""


def stored_ids(path: Path) -> list[str]:
    with JournalReader(path) as reader:
        return [str(call.decision["decision_id"]) for call in reader.calls()]


def eventually(holds: Callable[[], bool], *, within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_what_is_written_is_in_the_store_after_closing(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite3")
    journal.write("decision", {"decision_id": "d1", "chosen": "a/small", "propensity": 0.98})
    journal.write("outcome", {"decision_id": "d1", "response_id": "r1", "status": "ok", "latency_s": 0.5})
    journal.write("feedback", {"response_id": "r1", "metric": "thumbs", "value": 1.0, "idempotency_key": "k"})
    journal.write("feedback", {"response_id": "r1", "metric": "thumbs", "value": 1.0, "idempotency_key": "k"})
    journal.close_now()

    with JournalReader(tmp_path / "journal.sqlite3") as reader:
        (call,) = reader.calls()
        assert call.decision["propensity"] == 0.98
        assert [outcome["latency_s"] for outcome in call.outcomes] == [0.5]
        assert [feedback["value"] for feedback in call.feedback] == [1.0]  # the same key twice is one opinion
        assert reader.decision_of("r1") == "d1"
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.parametrize("acknowledged", [1, 150, 2_000])
def test_every_acknowledged_record_survives_kill_minus_nine_once(tmp_path: Path, acknowledged: int) -> None:
    path = tmp_path / "journal.sqlite3"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    seen = [int(writer.stdout.readline()) for _ in range(acknowledged)]
    os.kill(writer.pid, signal.SIGKILL)
    seen += [int(line) for line in writer.stdout.read().split("\n")[:-1]]  # what it still said before it died
    writer.wait()

    SqliteJournal(path, drain_every_s=0.0).close_now()
    restarted = SqliteJournal(path, drain_every_s=0.0)
    eventually(lambda: len(list((tmp_path / "spool").iterdir())) == 1)  # the dead writer's folder was taken over
    restarted.close_now()

    ids = stored_ids(path)
    assert len(ids) == len(set(ids))
    assert len(ids) - len(seen) in (0, 1)  # at most the one record it was about to acknowledge
    assert ids == [f"d{number}" for number in range(len(ids))]


def test_records_wait_in_the_spool_while_the_store_is_locked(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    SqliteJournal(path).close_now()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    journal = SqliteJournal(path, drain_every_s=0.01, busy_timeout_s=0.05)
    journal.write("decision", {"decision_id": "d1"})
    eventually(lambda: journal.health.store_failures > 0)
    assert journal.health.pending_bytes > 0
    other.execute("ROLLBACK")
    eventually(lambda: journal.health.pending_bytes == 0)
    journal.close_now()
    assert stored_ids(path) == ["d1"]
    assert journal.health.lost == 0


def test_a_store_that_never_comes_leaves_the_spool_for_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    path.mkdir()  # no database can be opened here
    journal = SqliteJournal(path, drain_every_s=0.01)
    journal.write("decision", {"decision_id": "d1"})
    journal.close_now()
    assert journal.health.last_failure is not None

    path.rmdir()
    restarted = SqliteJournal(path, drain_every_s=0.01)
    eventually(path.exists)
    eventually(lambda: len(list((tmp_path / "spool").iterdir())) == 1)
    restarted.close_now()
    assert stored_ids(path) == ["d1"]


def test_a_store_removed_under_a_running_gateway_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    journal = SqliteJournal(path, drain_every_s=0.01)
    journal.write("decision", {"decision_id": "d1"})
    eventually(lambda: journal.health.pending_bytes == 0)
    for file in tmp_path.glob("journal.sqlite3*"):
        file.unlink()
    journal.write("decision", {"decision_id": "d2"})
    eventually(path.exists)
    journal.close_now()
    assert stored_ids(path)[-1] == "d2"


def test_a_full_spool_counts_what_it_cannot_keep(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    path.mkdir()
    journal = SqliteJournal(path, spool_max_bytes=200)
    for number in range(5):
        journal.write("decision", {"decision_id": f"d{number}"})
    assert journal.health.written + journal.health.lost == 5
    assert journal.health.lost > 0
    journal.close_now()


def test_a_full_spool_refuses_where_it_was_told_to(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite3", spool_max_bytes=10, refuse_when_full=True)
    with pytest.raises(JournalFullError, match="spool_max_mb"):
        journal.write("decision", {"decision_id": "d1"})
    journal.close_now()


def test_many_segments_are_moved_and_deleted_in_order(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite3", segment_bytes=500, drain_every_s=0.01)
    for number in range(200):
        journal.write("decision", {"decision_id": f"d{number}"})
    eventually(lambda: journal.health.pending_bytes == 0)
    journal.close_now()
    assert stored_ids(tmp_path / "journal.sqlite3") == [f"d{number}" for number in range(200)]


def test_what_is_older_than_the_retention_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    now = 1_000_000.0
    journal = SqliteJournal(path, clock=lambda: now)
    journal.write("decision", {"decision_id": "old", "time": now - 3 * 86_400})
    journal.write("decision", {"decision_id": "new", "time": now - 86_400})
    journal.close_now()
    journal = SqliteJournal(path, clock=lambda: now, keep_days=2, drain_every_s=0.01)
    eventually(lambda: stored_ids(path) == ["new"])
    journal.close_now()


def test_bytes_that_are_no_record_are_kept_apart_and_the_rest_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    left_behind = tmp_path / "spool" / "a-dead-writer"
    left_behind.mkdir(parents=True)
    good = b'{"kind":"decision","at":1.0,"columns":[null,"%s",null,null,null],"record":{"decision_id":"%s"}}\n'
    lines = [good % (b"d1", b"d1"), b"\x00\x00 rubbish\n", good % (b"d2", b"d2"), b'{"kind":"decision","at":1.0,"col']
    (left_behind / "00000001.jsonl").write_bytes(b"".join(lines))
    journal = SqliteJournal(path, drain_every_s=0.01)
    eventually(lambda: not left_behind.exists())
    journal.close_now()
    assert stored_ids(path) == ["d1", "d2"]
    with JournalReader(path) as reader:
        assert reader.counts()["damaged"] == 2


def test_a_lone_surrogate_does_not_lose_the_record(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite3", prompts="full")
    journal.write("decision", {"decision_id": "d1", "query": {"text": "half a \ud83d pair"}})
    journal.close_now()
    with JournalReader(tmp_path / "journal.sqlite3") as reader:
        (call,) = reader.calls()
    assert call.decision["query"] == {"text": "half a ? pair"}


def test_two_gateways_share_one_store(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    first, second = (SqliteJournal(path, drain_every_s=0.01) for _ in range(2))
    for number in range(50):
        (first, second)[number % 2].write("decision", {"decision_id": f"d{number}"})
    first.close_now()
    second.close_now()
    assert set(stored_ids(path)) == {f"d{number}" for number in range(50)}
