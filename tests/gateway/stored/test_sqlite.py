"""What only the file can do: be locked by somebody else."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from gateway.stored import Bounds, SqliteResponses, StoreUnavailableError
from gateway.stored import sqlite as store_file


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
