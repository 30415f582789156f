"""What keeping a record costs the request: `python -m tests.benchmarks.bench_journal`.

Prints microseconds per `write` beside what cannot be avoided, measured in the same run: making JSON of the record,
and one `write(2)` of as many bytes. Then how fast the store takes the records.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson

from gateway.journal import SqliteJournal

__all__ = ["main"]

ROUNDS, CALLS = 30, 400


def decision(candidates: int, rng: np.random.Generator) -> dict[str, object]:
    """A record of the size that real decisions have: the prompt's vector, and six figures per candidate."""
    return {
        "schema": 1,
        "decision_id": "d" * 24,
        "time": 1_763_000_000.0,
        "query": {"tokens": 212, "encoding": {"name": "static-256", "vector": rng.normal(size=256).round(4).tolist()}},
        "candidates": [
            {"id": f"owner/model-{n}", "backend": f"b{n}", "quality": 0.71, "quality_se": 0.05, "eligible": True}
            | {"cost_usd": 1.2e-4, "latency_s": 1.4}
            for n in range(candidates)
        ],
        "front": ["owner/model-0", "owner/model-1"],
        "chosen": "owner/model-1",
        "propensity": 0.98,
    }


def microseconds(call: Callable[[], object]) -> list[float]:
    """CPU per call on the calling thread, one figure per round: a busy neighbour on the machine does not change it."""
    figures = []
    for _ in range(ROUNDS):
        started = time.thread_time()
        for _ in range(CALLS):
            call()
        figures.append((time.thread_time() - started) / CALLS * 1e6)
    return figures


def main() -> None:
    """Measure and print."""
    rng = np.random.default_rng(0)
    say = sys.stdout.write
    say(f"{'candidates':>10} {'bytes':>7} {'write us':>9} {'p95':>7} {'json us':>8} {'write(2) us':>11} {'ratio':>6}\n")
    for candidates in (1, 10, 30, 100):
        record = decision(candidates, rng)
        line = orjson.dumps(record) + b"\n"
        with tempfile.TemporaryDirectory() as folder:
            journal = SqliteJournal(Path(folder) / "journal.sqlite3", spool_max_bytes=4 << 30, drain_every_s=3600)
            write = microseconds(lambda: journal.write("decision", record))  # noqa: B023 - used within the loop
            encode = microseconds(lambda: orjson.dumps(record))  # noqa: B023
            fd = os.open(Path(folder) / "plain", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            append = microseconds(lambda: os.write(fd, line))  # noqa: B023
            os.close(fd)
            started = time.perf_counter()
            journal.close_now()
            rate = ROUNDS * CALLS / (time.perf_counter() - started)
        floor = statistics.median(encode) + statistics.median(append)
        middle, high = statistics.median(write), sorted(write)[int(0.95 * ROUNDS)]
        say(
            f"{candidates:>10} {len(line):>7} {middle:>9.1f} {high:>7.1f} {statistics.median(encode):>8.1f} "
            f"{statistics.median(append):>11.1f} {middle / floor:>6.2f}   store takes {rate:,.0f} records/s\n"
        )


if __name__ == "__main__":
    main()
