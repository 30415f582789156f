"""The journal in a real Redis, with real processes that are killed: what was written is collected, each record once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest
import structlog

from gateway.journal import JournalReader, RedisJournal
from gateway.journal_store.collector import Collector
from gateway.redis_keys import JournalKeys
from tests.end_to_end.conftest import environment
from tests.gateway.state.servers import RedisServer
from tests.waiting import wait_until

pytestmark = pytest.mark.loopback

WRITER = """
import sys, time
from pathlib import Path
import structlog
from gateway.journal import RedisJournal

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # nothing but acknowledgements in stdout
journal = RedisJournal(Path(sys.argv[1]), sys.argv[2], segment_bytes=20_000, drain_every_s=0.01)
while journal.keeper.pid is None:
    time.sleep(0.01)
print(journal.keeper.pid, flush=True)
for number in range(1_000_000):
    journal.write("outcome", {"decision_id": f"{sys.argv[3]}{number}", "padding": "x" * 300})
    sys.stdout.write(f"{number}\\n")  # the acknowledgement
    sys.stdout.flush()
"""


class Writer(subprocess.Popen[str]):
    stdout: IO[str]


def start_writing(spool: Path, server: RedisServer, name: str = "d") -> tuple[Writer, int]:
    """A process that says what it wrote, and the process that moves that into Redis."""
    command = [sys.executable, "-c", WRITER, str(spool), server.url, name]
    writer = Writer(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return writer, int(writer.stdout.readline())


def read_on(writer: Writer, count: int) -> int:
    return sum(1 for _ in range(count) if writer.stdout.readline())


def the_rest(writer: Writer) -> int:
    seen = writer.stdout.read().count("\n")
    writer.wait()
    return seen


def journal(tmp_path: Path, server: RedisServer, **more: object) -> RedisJournal:
    return RedisJournal(tmp_path / "spool", server.url, **{"drain_every_s": 0.01, "timeout_s": 1.0, **more})  # type: ignore[arg-type]


def collect(server: RedisServer, path: Path) -> list[str]:
    """Everything that waits; then what the file has by now."""
    collector = Collector(server.url, path, group="g", consumer="me", clock=time.time)
    try:
        collector.collect_all()
    finally:
        collector.close()
    with JournalReader(path) as reader:
        return [str(entry.outcome["decision_id"]) for entry in reader.outcomes()]  # no table would drop a double


def all_moved(spool: Path) -> bool:
    return not list(spool.iterdir())


def in_stream(server: RedisServer) -> int:
    with server.client() as client:
        return int(client.xlen(JournalKeys().records))


def numbered(count: int, name: str = "d") -> list[str]:
    return [f"{name}{number}" for number in range(count)]


def test_what_is_written_is_in_redis_after_closing(tmp_path: Path, redis_server: RedisServer) -> None:
    writing = journal(tmp_path, redis_server)
    writing.write("decision", {"decision_id": "d1", "propensity": 0.98})
    writing.write("outcome", {"decision_id": "d1", "response_id": "r1", "latency_s": 0.5})
    for _ in range(2):
        writing.write("feedback", {"response_id": "r1", "value": 1.0, "idempotency_key": "k"})
    wait_until(lambda: writing.health.stream_records == 4)
    writing.close_now()
    assert collect(redis_server, tmp_path / "copy") == ["d1"]
    with JournalReader(tmp_path / "copy") as reader:
        (call,) = reader.calls()
        assert [outcome["latency_s"] for outcome in call.outcomes] == [0.5]
        assert [feedback["value"] for feedback in call.feedback] == [1.0]  # the same key twice is one opinion
    assert all_moved(tmp_path / "spool")


@pytest.mark.parametrize("victim", ["keeper", "worker", "both"])
def test_every_acknowledged_record_comes_once_whoever_is_killed_amid_writing(
    victim: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    spool = tmp_path / "spool"
    writer, keeper_pid = start_writing(spool, redis_server)
    seen = read_on(writer, 500)
    if victim != "worker":
        os.kill(keeper_pid, signal.SIGKILL)
    if victim == "keeper":
        before = in_stream(redis_server)
        seen += read_on(writer, 500)
        wait_until(lambda: in_stream(redis_server) > before + 200)  # it was started again
    writer.kill()
    seen += the_rest(writer)
    if victim == "both":
        successor = journal(tmp_path, redis_server)
        wait_until(lambda: len(list(spool.iterdir())) == 1)
        successor.close_now()
    wait_until(lambda: all_moved(spool))
    stored = collect(redis_server, tmp_path / "copy")
    assert stored == numbered(len(stored))
    assert len(stored) - seen in (0, 1)  # at most the one record that it was about to acknowledge


@pytest.mark.usefixtures("redis_installed")
def test_a_redis_that_is_down_at_the_start_gets_all_of_it_later(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "late")
    writing = journal(tmp_path, server)
    for number in range(100):
        writing.write("outcome", {"decision_id": f"d{number}"})
    wait_until(lambda: writing.health.store_failures > 0)
    assert writing.health.pending_bytes > 0
    server.start()
    try:
        wait_until(lambda: writing.health.pending_bytes == 0)
        writing.close_now()
        assert writing.health.lost == 0
        assert collect(server, tmp_path / "copy") == numbered(100)
    finally:
        server.kill()


def test_a_redis_that_is_killed_amid_writing_and_started_again_doubles_and_loses_nothing(
    tmp_path: Path, kept_redis: RedisServer
) -> None:
    spool = tmp_path / "spool"
    writer, _ = start_writing(spool, kept_redis)
    seen = 0
    for _ in range(3):
        seen += read_on(writer, 400)
        kept_redis.kill()
        seen += read_on(writer, 200)
        kept_redis.start()
    writer.kill()
    seen += the_rest(writer)
    wait_until(lambda: all_moved(spool))
    stored = collect(kept_redis, tmp_path / "copy")
    assert stored == numbered(len(stored))
    assert len(stored) - seen in (0, 1)


def test_a_redis_that_comes_back_empty_is_sent_again_what_the_spool_has_and_that_is_told(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    with structlog.testing.capture_logs() as logged:
        writing = journal(tmp_path, redis_server)
        for number in range(50):
            writing.write("outcome", {"decision_id": f"d{number}"})
        wait_until(lambda: writing.health.pending_bytes == 0)
        redis_server.kill()
        redis_server.start()
        wait_until(lambda: any(told["event"] == "journal_store_lost_records" for told in logged))
        writing.write("outcome", {"decision_id": "d50"})
        writing.close_now()
    assert collect(redis_server, tmp_path / "copy") == numbered(51)


def test_a_full_redis_refuses_and_the_records_wait_in_the_spool(tmp_path: Path, redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.config_set("maxmemory", "1")
        writing = journal(tmp_path, redis_server)
        writing.write("outcome", {"decision_id": "d0"})
        wait_until(lambda: "maxmemory" in (writing.health.last_failure or ""))
        assert (writing.health.lost, writing.health.pending_bytes > 0) == (0, True)
        client.config_set("maxmemory", "0")
    wait_until(lambda: writing.health.pending_bytes == 0)
    writing.close_now()
    assert collect(redis_server, tmp_path / "copy") == ["d0"]


def test_where_nobody_collects_it_warns_then_refuses_and_then_counts_losses(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    with structlog.testing.capture_logs() as logged:
        writing = journal(tmp_path, redis_server, most_records=10, spool_max_bytes=2_000)
        for number in range(8):
            writing.write("outcome", {"decision_id": f"d{number}"})
        wait_until(lambda: writing.health.stream_records == 8)
        assert [told for told in logged if told["event"] == "journal_is_not_collected"]
        for number in range(8, 60):
            writing.write("outcome", {"decision_id": f"d{number}"})
        wait_until(lambda: "10 records wait" in (writing.health.last_failure or ""))
        kept, lost = writing.health.written, writing.health.lost
    assert (writing.health.stream_records, writing.health.stream_limit) == (10, 10)
    assert kept + lost == 60
    assert lost > 0

    def collected() -> bool:
        return len(collect(redis_server, tmp_path / "copy")) == kept

    wait_until(collected)
    writing.close_now()
    assert collect(redis_server, tmp_path / "copy") == numbered(kept)


@pytest.mark.usefixtures("redis_installed")
def test_no_secret_is_in_arguments_logs_or_what_is_told_of_failures(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "locked", requirepass="another").start()
    try:
        with structlog.testing.capture_logs() as logged:
            writing = RedisJournal(tmp_path / "spool", f"{server.url}?password=pl4nted", drain_every_s=0.01)
            wait_until(lambda: writing.health.store_failures > 0)
            arguments = Path(f"/proc/{writing.keeper.pid}/cmdline").read_bytes()
            variables = Path(f"/proc/{writing.keeper.pid}/environ").read_bytes()
            writing.close_now()
    finally:
        server.kill()
    assert "invalid username-password" in str(writing.health.last_failure)
    for said in (str(logged), str(writing.health), str(arguments), str(variables)):
        assert "pl4nted" not in said


@pytest.mark.parametrize("n_kills", [3])
def test_two_writers_and_a_collector_that_is_killed_again_and_again(
    n_kills: int, tmp_path: Path, redis_server: RedisServer
) -> None:
    writers = [start_writing(tmp_path / f"spool-{name}", redis_server, name)[0] for name in "ab"]
    seen, path = [0, 0], tmp_path / "copy"
    for _ in range(n_kills):
        command = [sys.executable, "-m", "gateway.cli", "journal", "collect", "--watch"]
        collecting = subprocess.Popen(
            [*command, "--from", redis_server.url, "--to", str(path)], env=environment(tmp_path / "state")
        )
        before = rows(path)
        wait_until(lambda before=before: rows(path) > before + 100)  # type: ignore[misc] # bound at once
        for index, writer in enumerate(writers):
            seen[index] += read_on(writer, 300)
        collecting.kill()
        collecting.wait()
    for index, writer in enumerate(writers):
        writer.kill()
        seen[index] += the_rest(writer)
    wait_until(lambda: all(all_moved(tmp_path / f"spool-{name}") for name in "ab"))
    collector = Collector(redis_server.url, path, group="paretogate", consumer="heir", clock=time.time)
    collector.collect_all()
    collector.close()
    with JournalReader(path) as reader:
        stored = [str(entry.outcome["decision_id"]) for entry in reader.outcomes()]
        assert reader.counts()["damaged"] == 0
    for index, name in enumerate("ab"):
        own = [decision for decision in stored if decision.startswith(name)]
        assert own == numbered(len(own), name)
        assert len(own) - seen[index] in (0, 1)
    with redis_server.client() as client:
        assert client.xlen(JournalKeys().records) == 0


def rows(path: Path) -> int:
    if not path.exists():
        return 0
    try:
        with JournalReader(path) as reader:
            return reader.counts()["outcomes"]
    except Exception:  # it is being made
        return 0
