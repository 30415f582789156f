"""What moving a record into its store costs: `python -m tests.benchmarks.bench_journal_store`.

The process beside a worker moves the same spooled lines into SQLite, and into a real Redis; then a collector moves what
is in Redis into SQLite. Prints microseconds of CPU per record of the moving process, records per second, and for Redis
what its server took and how much memory a record holds. Half of the records are decisions among ten candidates, half
are outcomes.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gateway.journal import journal_line
from gateway.journal_store import Keeper, SqliteStore, Store, lock_folder, segment_path
from gateway.journal_store.collector import Collector
from gateway.journal_store.stream import StreamStore
from gateway.redis_keys import JournalKeys
from tests.gateway.state.servers import RedisServer

from .bench_journal import decision

__all__ = ["main"]

ROUNDS, RECORDS = 5, 20_000
OUTCOME = {
    "decision_id": "d" * 24,
    "response_id": "r" * 36,
    "backend": "b1",
    "model_returned": "owner/model-1",
    "status": "ok",
    "usage": {"input_tokens": 212, "output_tokens": 180},
    "cost_usd": 1.2e-4,
    "ttft_s": 0.4,
    "latency_s": 1.4,
    "finish_reason": "stop",
}


def spooled(folder: Path) -> Path:
    """A writer's folder with one segment, as a worker leaves it."""
    record, rng = decision(10, np.random.default_rng(0)), np.random.default_rng(0)
    lines = []
    for number in range(RECORDS // 2):
        name = f"{number:08d}{rng.integers(1 << 62):016x}"
        lines.append(journal_line("decision", 1.0, {**record, "decision_id": name}))
        lines.append(journal_line("outcome", 1.0, {**OUTCOME, "decision_id": name}))
    writer = folder / "spool" / "writer"
    writer.mkdir(parents=True)
    segment_path(writer, 1).write_bytes(b"".join(lines))
    return writer


def moved(open_store: Callable[[Path], Store]) -> tuple[float, float]:
    """Seconds of CPU, and of time, for all records."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writer = spooled(folder)
        lock_fd = lock_folder(writer)
        store = open_store(folder)
        keeper = Keeper(lambda: store, writer, clock=time.time)
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        keeper.work()
        took = time.process_time() - cpu_s, time.perf_counter() - wall_s
        keeper.drop()
        os.close(lock_fd)
    return took


def collected(server: RedisServer) -> tuple[float, float]:
    """The same, of a collector."""
    with tempfile.TemporaryDirectory() as name:
        collector = Collector(
            server.url, Path(name) / "copy", group="bench", consumer="me", clock=time.time, take_over=True
        )
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        count = collector.collect_all()
        took = time.process_time() - cpu_s, time.perf_counter() - wall_s
        collector.close()
    assert count == RECORDS, count
    return took


def told(name: str, figures: list[tuple[float, float]]) -> None:
    """The middle round."""
    cpu_us = statistics.median(cpu for cpu, _ in figures) / RECORDS * 1e6
    rate = RECORDS / statistics.median(wall for _, wall in figures)
    sys.stdout.write(f"{name:>28} {cpu_us:>8.1f} us of CPU a record {rate:>10,.0f} records/s\n")


def main() -> None:
    """Measure in turn, and print."""
    into_sqlite, into_redis, from_redis, servers_s, held = [], [], [], [], []
    with tempfile.TemporaryDirectory() as name:
        server = RedisServer(Path(name), appendonly="yes", appendfsync="everysec").start()
        try:
            with server.client() as client:
                for _ in range(ROUNDS):
                    into_sqlite.append(moved(lambda folder: SqliteStore(folder / "journal.sqlite3")))
                    client.flushall()
                    before = client.info("cpu")
                    into_redis.append(moved(lambda _: StreamStore(server.url, most_records=10 * RECORDS)))
                    after = client.info("cpu")
                    servers_s.append(sum(after[key] - before[key] for key in ("used_cpu_user", "used_cpu_sys")))
                    held.append(client.memory_usage(JournalKeys().records, samples=0) / RECORDS)
                    from_redis.append(collected(server))
        finally:
            server.kill()
    told("spool into SQLite", into_sqlite)
    told("spool into Redis", into_redis)
    told("Redis into SQLite, collected", from_redis)
    server_us = statistics.median(servers_s) / RECORDS * 1e6
    sys.stdout.write(f"Redis itself: {server_us:.1f} us of CPU a record, {statistics.median(held):,.0f} bytes held\n")


if __name__ == "__main__":
    main()
