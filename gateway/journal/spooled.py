"""A journal: a spool that survives `kill -9`, and a process that moves it into the store, SQLite or Redis.

`write` appends one line and returns; no more of the journal's work is done in this process. When the store is locked,
full or away, lines wait in the spool and the other process tries again. It goes on to the end when this one dies, and
is started again when it dies itself; where both did, the next to start takes over what lies there, exactly once.
"""

import asyncio
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, TypedDict

import orjson
import structlog

from gateway.journal_store import COLUMNS
from router import CandidateRows

from .errors import JournalFullError
from .keeping import KeeperProcess
from .prompts import PromptKeeping, keep_prompt
from .protocol import RecordKind
from .spool import Spool

__all__ = ["SpooledHealth", "SpooledJournal", "Spooling", "journal_line"]

_BETWEEN_LOSSES_S = 10.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class SpooledHealth:
    """How the journal fares (a `JournalHealth`); counts are since this process started."""

    limit_bytes: int  # of what is pending
    written: int = 0
    lost: int = 0
    pending_bytes: int = 0
    store_failures: int = 0
    last_failure: str | None = None
    stream_records: int | None = None
    stream_limit: int | None = None


class Spooling(TypedDict, total=False):
    """How records wait for the store, whichever it is."""

    prompts: PromptKeeping
    refuse_when_full: bool
    spool_max_bytes: int
    segment_bytes: int
    keep_days: float | None  # in the store
    drain_every_s: float
    clock: Callable[[], float]  # seconds since the epoch


class SpooledJournal:
    """A `Journal` with the spool in a folder, and whatever store the other process is told of."""

    def __init__(
        self,
        root: Path,
        store: Mapping[str, object],
        *,
        prompts: PromptKeeping = "off",
        refuse_when_full: bool = False,
        spool_max_bytes: int = 512 << 20,
        segment_bytes: int = 8 << 20,
        keep_days: float | None = None,
        drain_every_s: float = 0.1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`root` is the spools' of all writers; `store` is what the other process opens."""
        self.prompts, self.refuse_when_full = prompts, refuse_when_full
        self._told_loss_at_s = -math.inf
        self._clock, self._health, self._is_closed = clock, SpooledHealth(limit_bytes=spool_max_bytes), False
        self._spool = Spool(root, segment_bytes=segment_bytes, max_bytes=spool_max_bytes)
        told = {
            "store": store,
            "folder": str(self._spool.folder.resolve()),
            "keep_days": keep_days,
            "every_s": drain_every_s,
        }
        self.keeper = KeeperProcess(told, lock_fd=self._spool.lock_fd, hear=self._hear)

    @property
    def health(self) -> SpooledHealth:
        """See `Journal.health`; what is pending is as the other process last said."""
        self._health.pending_bytes = self._spool.pending_bytes
        return self._health

    def write(self, kind: RecordKind, record: Mapping[str, object]) -> bool:
        """Keep one record; see `Journal.write`. Those that cannot be kept are counted in `health.lost`, and told of."""
        if kind == "decision":
            record = keep_prompt(record, self.prompts)
        line = journal_line(kind, self._clock(), record)
        try:
            self._spool.append(line)
        except JournalFullError as exc:
            self._health.lost += 1
            self._tell_loss(kind, exc)
            if self.refuse_when_full:
                raise
            return False
        self._health.written += 1
        return True

    def _tell_loss(self, kind: RecordKind, problem: JournalFullError) -> None:
        """Now and then: the log may lie on the disk that is full, and thousands may be lost in a second."""
        now_s = self._clock()
        if abs(now_s - self._told_loss_at_s) >= _BETWEEN_LOSSES_S:
            self._told_loss_at_s = now_s
            log.error("journal_record_lost", kind=kind, reason=problem.problem, lost=self._health.lost)

    async def close(self) -> None:
        """Move what waits into the store and let go of it; what that refuses stays in the spool for the next start."""
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """`close`, for callers without an event loop."""
        if self._is_closed:
            return
        self._is_closed = True
        self._spool.close()
        self.keeper.finish()

    def _hear(self, said: Mapping[str, Any]) -> None:
        """What the other process says of its work."""
        if (waiting := said.get("waiting")) is not None:
            self._health.stream_records = waiting
        if "segment" in said:
            self._spool.moved(segment=said["segment"], offset=said["offset"])
        elif "failure" in said:
            self._health.store_failures += 1
            self._health.last_failure = said["failure"]
            log.warning("journal_store_failed", reason=said["failure"], pending=self._spool.pending_bytes)
            self._restore()
        else:
            log.warning(said["event"], **said["facts"])

    def _restore(self) -> None:
        """Where the failure is that somebody deleted the spool."""
        try:
            restored = self._spool.restore()
        except OSError as exc:
            log.warning("journal_spool_not_restored", reason=str(exc))
            return
        if restored is not None:
            log.error("journal_spool_restored", reason="somebody deleted it", lost_bytes=restored.lost_bytes)
            self._health.lost += restored.lost_bytes > 0  # how many, nobody can count any more
            self.keeper.hold(restored.lock_fd)


def journal_line(kind: RecordKind, at: float, record: Mapping[str, object]) -> bytes:
    """One record as it is spooled, `at` seconds since the epoch: JSON, with what the store has columns for apart."""
    columns = [record.get(name) for name in COLUMNS[kind]]
    entry = {"kind": kind, "at": at, "columns": columns, "record": record}
    try:
        return orjson.dumps(entry, default=_compact, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # a lone surrogate, which no UTF-8 can carry: keep the record with a question mark in its place
        text = json.dumps(entry, ensure_ascii=False, separators=(",", ":"), default=_plain)
        return text.encode("utf-8", "replace") + b"\n"


def _compact(value: object) -> object:
    """Candidates by columns, as `predictors.journal.records` reads them: four kilobytes of a record become two."""
    return value.columns() if isinstance(value, CandidateRows) else _plain(value)


def _plain(value: object) -> object:
    if isinstance(value, CandidateRows):
        return list(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a journal record cannot hold a {type(value).__name__}")
