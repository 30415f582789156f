"""The embedded journal: a spool that survives `kill -9`, and a thread that moves it into SQLite.

`write` appends one line and returns. When SQLite is locked, full or away, lines wait in the spool and the thread
tries again; what a killed process left in its spool is taken over, exactly once, by the next one to start.
"""

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import orjson
import structlog

from .errors import JournalError, JournalFullError
from .prompts import PromptKeeping, keep_prompt
from .protocol import RecordKind
from .spool import LeftOver, Spool, adopt_left_overs
from .store import COLUMNS, Store

__all__ = ["SqliteHealth", "SqliteJournal"]

log = structlog.get_logger(__name__)

_CHUNK_BYTES = 1 << 20  # of a segment, per transaction
_LONGEST_PAUSE_S = 5.0  # between attempts while the store is away
_RETENTION_PERIOD_S = 3600.0


@dataclass(slots=True)
class SqliteHealth:
    """How the journal fares; counts are since this process started."""

    written: int = 0
    lost: int = 0
    stored_bytes: int = 0
    written_bytes: int = 0
    store_failures: int = 0
    last_failure: str | None = None

    @property
    def pending_bytes(self) -> int:
        """Bytes that wait in the spool for the store."""
        return self.written_bytes - self.stored_bytes


class SqliteJournal:
    """Keeps records in one SQLite file, with the spool in a folder beside it."""

    def __init__(
        self,
        path: Path,
        *,
        prompts: PromptKeeping = "off",
        refuse_when_full: bool = False,
        spool_max_bytes: int = 512 << 20,
        segment_bytes: int = 8 << 20,
        keep_days: float | None = None,
        drain_every_s: float = 0.1,
        busy_timeout_s: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path, self.prompts, self.refuse_when_full, self.keep_days = path, prompts, refuse_when_full, keep_days
        self.drain_every_s, self.busy_timeout_s = drain_every_s, busy_timeout_s
        self.health = SqliteHealth()
        self._clock = clock
        self._root = path.parent / "spool"
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._spool = Spool(self._root, segment_bytes=segment_bytes, max_bytes=spool_max_bytes)
        self._store: Store | None = None
        self._last_retention = -_RETENTION_PERIOD_S
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def write(self, kind: RecordKind, record: Mapping[str, object]) -> None:
        """Keep one record; see `Journal.write`. A record that cannot be kept is counted in `health.lost` and logged."""
        if kind == "decision":
            record = keep_prompt(record, self.prompts)
        line = _line(kind, self._clock(), record)
        try:
            self._spool.append(line)
        except JournalFullError as exc:
            self.health.lost += 1
            log.error(  # noqa: TRY400 - a full disk needs no traceback per record
                "journal_record_lost", kind=kind, reason=exc.problem, lost=self.health.lost
            )
            if self.refuse_when_full:
                raise
            return
        self.health.written += 1
        self.health.written_bytes += len(line)

    async def close(self) -> None:
        """Move what waits into SQLite and let go of it; what SQLite refuses stays in the spool for the next start."""
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """`close`, for callers without an event loop."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._thread.join()
        everything_stored = self._attempt(self._drain)
        self._spool.close(delete=everything_stored)
        if self._store is not None:
            self._store.close()

    def _run(self) -> None:
        pause = self.drain_every_s
        adopted = False
        while not self._stop.wait(pause):
            if not adopted:
                adopted = self._attempt(self._take_over)
            fine = self._attempt(self._drain) and self._attempt(self._retain)
            pause = self.drain_every_s if fine else min(_LONGEST_PAUSE_S, 2 * max(pause, 0.05))

    def _attempt(self, step: Callable[[Store], None]) -> bool:
        try:
            step(self._open_store())
        except (sqlite3.Error, OSError, JournalError) as exc:
            self.health.store_failures += 1
            self.health.last_failure = f"{type(exc).__name__}: {exc}"
            log.warning("journal_store_failed", reason=self.health.last_failure, pending=self.health.pending_bytes)
            self._drop_store()
            return False
        return True

    def _open_store(self) -> Store:
        if self._store is not None and not self.path.exists():
            self._drop_store()  # the file was removed under us: start a new one rather than write to nowhere
        if self._store is None:
            self._store = Store(self.path, busy_timeout_s=self.busy_timeout_s)
        return self._store

    def _drop_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _take_over(self, store: Store) -> None:
        for left_over in adopt_left_overs(self._root):
            _ingest_left_over(store, left_over)

    def _drain(self, store: Store) -> None:
        current = self._spool.current  # read before listing: a segment that is not current any more is finished
        for segment in self._spool.segments():
            if segment > current:
                break
            before = store.position(_name(segment))
            after = _ingest(store, segment)
            self.health.stored_bytes += after - before
            if segment < current:
                self._spool.discard(segment)
                store.forget_segment(_name(segment))

    def _retain(self, store: Store) -> None:
        now = self._clock()
        if self.keep_days is None or now - self._last_retention < _RETENTION_PERIOD_S:
            return
        gone = store.forget_before(now - 86_400 * self.keep_days)
        self._last_retention = now
        if gone:
            log.info("journal_retention_applied", decisions=gone)


def _ingest(store: Store, segment: Path) -> int:
    """Move the whole lines that a segment has into the store; returns the offset reached."""
    name = _name(segment)
    offset = store.position(name)
    with segment.open("rb") as file:
        file.seek(offset)
        rest = b""
        while chunk := file.read(_CHUNK_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            if lines:
                offset = store.take(name, offset, lines)
    return offset


def _ingest_left_over(store: Store, left_over: LeftOver) -> None:
    for segment in left_over.segments():
        offset = _ingest(store, segment)
        with segment.open("rb") as file:
            file.seek(offset)
            if torn := file.read():  # the process died inside write(2); such a record was never acknowledged
                store.note_damage(_name(segment), offset, torn, "torn by the end of the process")
                log.warning("journal_line_torn", segment=_name(segment), bytes=len(torn))
    names = [_name(segment) for segment in left_over.segments()]
    left_over.discard()
    for name in names:
        store.forget_segment(name)


def _name(segment: Path) -> str:
    return f"{segment.parent.name}/{segment.name}"


def _line(kind: RecordKind, at: float, record: Mapping[str, object]) -> bytes:
    columns = [record.get(name) for name in COLUMNS[kind]]
    entry = {"kind": kind, "at": at, "columns": columns, "record": record}
    try:
        return orjson.dumps(entry, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # a lone surrogate, which no UTF-8 can carry: keep the record with a question mark in its place
        text = json.dumps(entry, ensure_ascii=False, separators=(",", ":"), default=_plain)
        return text.encode("utf-8", "replace") + b"\n"


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a journal record cannot hold a {type(value).__name__}")
