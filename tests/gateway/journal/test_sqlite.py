import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import pytest
import structlog

from gateway.journal import JournalFullError, JournalReader, SqliteJournal
from tests.waiting import wait_until

WRITER = """
import sys, time
from pathlib import Path
from gateway.journal import SqliteJournal

journal = SqliteJournal(Path(sys.argv[1]), segment_bytes=20_000, drain_every_s=0.01)
while journal.keeper.pid is None:
    time.sleep(0.01)
print(journal.keeper.pid, flush=True)
for number in range(1_000_000):
    journal.write("decision", {"decision_id": f"d{number}", "padding": "x" * 300})
    sys.stdout.write(f"{number}\\n")  # the acknowledgement
    sys.stdout.flush()
"""


class Writer(subprocess.Popen[str]):
    stdout: IO[str]


def start_writing(path: Path) -> tuple[Writer, int]:
    """A process that says what it wrote, and the process that moves that into the store."""
    writer = Writer([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    return writer, int(writer.stdout.readline())


def stored_ids(path: Path) -> list[str]:
    with JournalReader(path) as reader:
        return [str(call.decision["decision_id"]) for call in reader.calls()]


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


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a name that is no UTF-8 cannot be made")
def test_a_folder_whose_name_is_no_utf_8_holds_a_journal_too(tmp_path: Path) -> None:
    """As of an older system, or of any name beyond ASCII in the C locale: the gateway did not start."""
    folder = tmp_path / os.fsdecode(b"Zust\xe4nde")
    folder.mkdir()
    journal = SqliteJournal(folder / "journal.sqlite3")
    journal.write("decision", {"decision_id": "d1"})
    journal.close_now()
    assert stored_ids(folder / "journal.sqlite3") == ["d1"]


@pytest.mark.parametrize("acknowledged", [1, 150, 2_000])
def test_every_acknowledged_record_survives_kill_minus_nine_once(tmp_path: Path, acknowledged: int) -> None:
    path = tmp_path / "journal.sqlite3"
    writer, _ = start_writing(path)
    seen = [int(writer.stdout.readline()) for _ in range(acknowledged)]
    os.kill(writer.pid, signal.SIGKILL)
    seen += [int(line) for line in writer.stdout.read().split("\n")[:-1]]  # what it still said before it died
    writer.wait()

    SqliteJournal(path, drain_every_s=0.0).close_now()
    restarted = SqliteJournal(path, drain_every_s=0.0)
    wait_until(lambda: len(list((tmp_path / "spool").iterdir())) == 1)  # the dead writer's folder was taken over
    restarted.close_now()

    ids = stored_ids(path)
    assert len(ids) == len(set(ids))
    assert len(ids) - len(seen) in (0, 1)  # at most the one record it was about to acknowledge
    assert ids == [f"d{number}" for number in range(len(ids))]


def test_the_journal_is_its_owners_alone(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite3", prompts="full")
    journal.write("decision", {"decision_id": "d1", "prompt": "hush"})
    journal.close_now()
    with JournalReader(tmp_path / "journal.sqlite3"):  # which makes the files beside it
        assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("journal.sqlite3*")} == {0o600}


def test_records_wait_in_the_spool_while_the_store_is_locked(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    SqliteJournal(path).close_now()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    journal = SqliteJournal(path, drain_every_s=0.01, busy_timeout_s=0.05)
    journal.write("decision", {"decision_id": "d1"})
    wait_until(lambda: journal.health.store_failures > 0)
    assert journal.health.pending_bytes > 0
    other.execute("ROLLBACK")
    wait_until(lambda: journal.health.pending_bytes == 0)
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
    wait_until(path.exists)
    wait_until(lambda: len(list((tmp_path / "spool").iterdir())) == 1)
    restarted.close_now()
    assert stored_ids(path) == ["d1"]


def test_a_store_removed_under_a_running_gateway_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    journal = SqliteJournal(path, drain_every_s=0.01)
    journal.write("decision", {"decision_id": "d1"})
    wait_until(lambda: journal.health.pending_bytes == 0)
    for file in tmp_path.glob("journal.sqlite3*"):
        file.unlink()
    journal.write("decision", {"decision_id": "d2"})
    wait_until(path.exists)
    journal.close_now()
    assert stored_ids(path)[-1] == "d2"


def test_a_full_spool_counts_what_it_cannot_keep(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    path.mkdir()
    journal = SqliteJournal(path, spool_max_bytes=200)
    assert journal.health.limit_bytes == 200
    for number in range(5):
        journal.write("decision", {"decision_id": f"d{number}"})
    assert journal.health.written + journal.health.lost == 5
    assert journal.health.lost > 0
    journal.close_now()


def test_what_is_lost_is_told_now_and_then_and_not_by_a_line_each(tmp_path: Path) -> None:
    now = [1e9]
    journal = SqliteJournal(tmp_path / "journal.sqlite3", spool_max_bytes=10, clock=lambda: now[0])
    with structlog.testing.capture_logs() as logged:
        for _ in range(20):
            journal.write("decision", {"decision_id": "d1"})
            now[0] += 1.0
    journal.close_now()
    assert [event["lost"] for event in logged if event["event"] == "journal_record_lost"] == [1, 11]


def test_a_full_spool_refuses_where_it_was_told_to(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite3", spool_max_bytes=10, refuse_when_full=True)
    with pytest.raises(JournalFullError, match="spool_max_mb"):
        journal.write("decision", {"decision_id": "d1"})
    journal.close_now()


def test_many_segments_are_moved_and_deleted_in_order(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite3", segment_bytes=500, drain_every_s=0.01)
    for number in range(200):
        journal.write("decision", {"decision_id": f"d{number}"})
    wait_until(lambda: journal.health.pending_bytes == 0)
    journal.close_now()
    assert stored_ids(tmp_path / "journal.sqlite3") == [f"d{number}" for number in range(200)]


def test_bytes_that_are_no_record_are_kept_apart_and_the_rest_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    left_behind = tmp_path / "spool" / "a-dead-writer"
    left_behind.mkdir(parents=True)
    good = b'{"kind":"decision","at":1.0,"columns":[null,"%s",null,null,null],"record":{"decision_id":"%s"}}\n'
    lines = [good % (b"d1", b"d1"), b"\x00\x00 rubbish\n", good % (b"d2", b"d2"), b'{"kind":"decision","at":1.0,"col']
    (left_behind / "00000001.jsonl").write_bytes(b"".join(lines))
    journal = SqliteJournal(path, drain_every_s=0.01)
    wait_until(lambda: not left_behind.exists())
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


def test_a_keeper_that_is_killed_is_started_again_and_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    journal = SqliteJournal(path, segment_bytes=20_000, drain_every_s=0.0)
    for number in range(3_000):
        journal.write("decision", {"decision_id": f"d{number}", "padding": "x" * 300})
        if number % 1_000 == 500:
            kill_the_keeper(journal)
    wait_until(lambda: journal.health.pending_bytes == 0)
    assert journal.keeper.restarts == 3
    journal.close_now()
    assert stored_ids(path) == [f"d{number}" for number in range(3_000)]
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_keeper_that_is_killed_while_closing_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    journal = SqliteJournal(path, drain_every_s=3_600)
    for number in range(2_000):
        journal.write("decision", {"decision_id": f"d{number}", "padding": "x" * 300})
    wait_until(lambda: journal.keeper.pid is not None)
    killer = threading.Thread(target=lambda: os.kill(journal.keeper.pid or 0, signal.SIGKILL))
    killer.start()
    journal.close_now()
    killer.join()
    SqliteJournal(path, drain_every_s=0.0).close_now()  # finds nothing to do where it was started again in time
    restarted = SqliteJournal(path, drain_every_s=0.0)
    wait_until(lambda: len(list((tmp_path / "spool").iterdir())) == 1)
    restarted.close_now()
    assert stored_ids(path) == [f"d{number}" for number in range(2_000)]


def test_the_keeper_finishes_the_work_of_a_worker_that_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    writer, _ = start_writing(path)
    seen = [int(writer.stdout.readline()) for _ in range(500)]
    writer.kill()
    seen += [int(line) for line in writer.stdout.read().split("\n")[:-1]]
    writer.wait()
    wait_until(lambda: not list((tmp_path / "spool").iterdir()))  # nobody else was started
    ids = stored_ids(path)
    assert ids == [f"d{number}" for number in range(len(ids))]
    assert len(ids) - len(seen) in (0, 1)


@pytest.mark.parametrize("first", ["worker", "keeper"])
def test_when_both_are_killed_the_next_to_start_takes_over(tmp_path: Path, first: str) -> None:
    path = tmp_path / "journal.sqlite3"
    writer, keeper_pid = start_writing(path)
    seen = [int(writer.stdout.readline()) for _ in range(500)]
    for pid in (writer.pid, keeper_pid) if first == "worker" else (keeper_pid, writer.pid):
        os.kill(pid, signal.SIGKILL)
    seen += [int(line) for line in writer.stdout.read().split("\n")[:-1]]
    writer.wait()
    restarted = SqliteJournal(path, drain_every_s=0.0)
    wait_until(lambda: len(list((tmp_path / "spool").iterdir())) == 1)
    restarted.close_now()
    ids = stored_ids(path)
    assert ids == [f"d{number}" for number in range(len(ids))]
    assert len(ids) - len(seen) in (0, 1)


def test_the_spool_is_bounded_by_what_is_not_deleted_yet(tmp_path: Path) -> None:
    journal = SqliteJournal(
        tmp_path / "journal.sqlite3", segment_bytes=2_000, spool_max_bytes=10_000, drain_every_s=0.01
    )
    for number in range(200):  # 80,000 bytes in all: there is room again once the store has taken some
        journal.write("decision", {"decision_id": f"d{number}", "padding": "x" * 300})
        wait_until(lambda: journal.health.pending_bytes < 5_000)
    journal.close_now()
    assert journal.health.lost == 0
    assert len(stored_ids(tmp_path / "journal.sqlite3")) == 200


def kill_the_keeper(journal: SqliteJournal) -> None:
    wait_until(lambda: journal.keeper.pid is not None)
    pid = journal.keeper.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: journal.keeper.pid != pid)
