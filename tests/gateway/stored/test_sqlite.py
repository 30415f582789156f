"""What only the file can do: be locked by somebody else."""

import asyncio
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from gateway.stored import Bounds, SqliteResponses, StoreUnavailableError
from gateway.stored import sqlite as store_file
from tests.waiting import AT_MOST_S

_OPENS_AT_THE_SAME_TIME = """
import asyncio, sys, time
from pathlib import Path
from gateway.stored import Bounds, SqliteResponses

async def main():
    begin_s = float(input())
    for turn in range(200):
        store = SqliteResponses(Path(sys.argv[1], f"{turn}.sqlite3"), Bounds(), wall=time.time)
        while time.time() < begin_s + turn * 0.008:
            pass
        await store.put(sys.argv[2], "r", b"x")
        await store.close()

asyncio.run(main())
"""


def test_workers_that_store_their_first_response_at_the_same_time_both_do(tmp_path: Path) -> None:
    """One in twenty-five of such files was locked to one of them."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _OPENS_AT_THE_SAME_TIME, str(tmp_path), tenant],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for tenant in ("a", "b")
    ]
    begin_s = time.time() + 3.0  # by then both are there
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(f"{begin_s}\n")
        worker.stdin.flush()
    problems = [worker.communicate(timeout=AT_MOST_S)[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], problems


async def test_a_writer_waits_for_another_workers_turn(tmp_path: Path) -> None:
    """A busy machine with a slow disk: one in forty was refused after a second."""
    store = SqliteResponses(tmp_path / "responses.sqlite3", Bounds(), wall=time.time)
    await store.put("a", "first", b"x")
    with closing(sqlite3.connect(tmp_path / "responses.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        putting = asyncio.create_task(store.put("a", "second", b"y"))
        await asyncio.sleep(1.3)
        other.execute("COMMIT")
    await putting
    assert await store.get("a", "second") == b"y"
    await store.close()


async def test_a_file_that_was_locked_while_it_was_opened_serves_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_file, "_PATIENCE_S", 0.05)
    store = SqliteResponses(tmp_path / "responses.sqlite3", Bounds(), wall=time.time)
    with closing(sqlite3.connect(tmp_path / "responses.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailableError, match="locked"):
            await store.put("a", "r", b"x")
        other.execute("ROLLBACK")
    await store.put("a", "r", b"x")
    assert await store.get("a", "r") == b"x"
    await store.close()
