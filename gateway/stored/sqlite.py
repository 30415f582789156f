"""Responses in a file: shared by the workers of one machine, and there after a restart."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from gateway.file_locks import held

from .protocol import Bounds, StoreUnavailableError

__all__ = ["SqliteResponses"]

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS responses (
  seq INTEGER PRIMARY KEY, tenant TEXT NOT NULL, id TEXT NOT NULL, until_s REAL NOT NULL, record BLOB NOT NULL,
  UNIQUE (tenant, id)
);
CREATE INDEX IF NOT EXISTS by_end ON responses (until_s);
"""
_PATIENCE_S = 5.0  # with others who write: SQLite knows no queue, so that one of many may wait long


class SqliteResponses:
    """A `ResponseStore` in SQLite; each call runs in a thread. Only its owner may read the file."""

    def __init__(self, path: Path, bounds: Bounds, *, wall: Callable[[], float]) -> None:
        """`wall` is in seconds since the epoch: workers and restarts must agree on it."""
        self._path, self._bounds, self._wall = path, bounds, wall
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None

    async def put(self, tenant: str, response_id: str, record: bytes) -> None:
        """See `ResponseStore.put`."""

        def act(file: sqlite3.Connection) -> None:
            file.execute("DELETE FROM responses WHERE until_s <= ?", (self._wall(),))
            until_s = self._wall() + self._bounds.keep_s
            file.execute(
                "INSERT OR REPLACE INTO responses (tenant, id, until_s, record) VALUES (?, ?, ?, ?)",
                (tenant, response_id, until_s, record),
            )
            file.execute(
                "DELETE FROM responses WHERE tenant = ?1 AND seq NOT IN"
                " (SELECT seq FROM responses WHERE tenant = ?1 ORDER BY seq DESC LIMIT ?2)",
                (tenant, self._bounds.max_per_tenant),
            )
            while _bytes(file) > self._bounds.max_bytes:
                file.execute(
                    "DELETE FROM responses WHERE seq = (SELECT MIN(seq) FROM responses WHERE tenant ="
                    " (SELECT tenant FROM responses GROUP BY tenant ORDER BY SUM(LENGTH(record)) DESC LIMIT 1))"
                )

        await self._do(act)

    async def get(self, tenant: str, response_id: str) -> bytes | None:
        """See `ResponseStore.get`."""

        def act(file: sqlite3.Connection) -> bytes | None:
            found = file.execute(
                "SELECT record FROM responses WHERE tenant = ? AND id = ? AND until_s > ?",
                (tenant, response_id, self._wall()),
            ).fetchone()
            return None if found is None else bytes(found[0])

        return await self._do(act)

    async def delete(self, tenant: str, response_id: str) -> bool:
        """See `ResponseStore.delete`."""

        def act(file: sqlite3.Connection) -> bool:
            asked = (tenant, response_id, self._wall())
            gone = file.execute("DELETE FROM responses WHERE tenant = ? AND id = ? AND until_s > ?", asked)
            return gone.rowcount > 0

        return await self._do(act)

    async def close(self) -> None:
        """See `ResponseStore.close`."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    async def _do(self, act: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.to_thread(self._done, act)

    def _done(self, act: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with self._lock, self._file() as file:  # commits, or takes everything back
                return act(file)
        except (sqlite3.Error, OSError) as exc:
            raise StoreUnavailableError(f"{self._path}: {exc}") from exc

    def _file(self) -> sqlite3.Connection:
        if self._opened is None:
            # One after the other: SQLite has no patience with others while a file gets its write-ahead log.
            with held(self._path.with_suffix(".lock")):
                self._opened = self._open()
        return self._opened

    def _open(self) -> sqlite3.Connection:
        self._path.touch(mode=0o600)  # made for its owner alone, before anything is in it
        opened = sqlite3.connect(self._path, timeout=_PATIENCE_S, check_same_thread=False)
        try:
            opened.execute("PRAGMA journal_mode = WAL")
            opened.execute("PRAGMA secure_delete = ON")  # what was deleted is gone from the file
            opened.executescript(_SCHEMA)
        except sqlite3.Error:
            opened.close()  # without its table it would refuse every later call
            raise
        return opened


def _bytes(file: sqlite3.Connection) -> int:
    return int(file.execute("SELECT COALESCE(SUM(LENGTH(record)), 0) FROM responses").fetchone()[0])
