"""The journal's tables in SQLite, and how a line of the spool becomes a row, exactly once."""

import os
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import orjson

__all__ = ["COLUMNS", "RECORD_KEY", "SCHEMA_VERSION", "Gap", "RecordKind", "Run", "SqliteStore"]

RecordKind = Literal["decision", "outcome", "feedback"]

SCHEMA_VERSION = 1

# `record` is the whole record as JSON; the columns beside it are those that readers select and join by.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS decisions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, decision_id TEXT NOT NULL UNIQUE,
    tenant TEXT, policy TEXT, chosen TEXT, record TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS decisions_by_time ON decisions (time);
CREATE TABLE IF NOT EXISTS outcomes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, decision_id TEXT, response_id TEXT,
    backend TEXT, status TEXT, record TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS outcomes_by_decision ON outcomes (decision_id);
CREATE INDEX IF NOT EXISTS outcomes_by_response ON outcomes (response_id);
CREATE INDEX IF NOT EXISTS outcomes_by_time ON outcomes (time);
CREATE TABLE IF NOT EXISTS feedback (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, idempotency_key TEXT UNIQUE, decision_id TEXT,
    response_id TEXT, metric TEXT, value REAL, record TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS feedback_by_decision ON feedback (decision_id);
CREATE INDEX IF NOT EXISTS feedback_by_response ON feedback (response_id);
CREATE TABLE IF NOT EXISTS damaged (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, segment TEXT NOT NULL, offset INTEGER NOT NULL, line BLOB NOT NULL,
    problem TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS segments (name TEXT PRIMARY KEY, offset INTEGER NOT NULL);
"""


# What a line says ahead of its record, so that moving it into a table needs no parsing of the whole.
COLUMNS: Mapping[RecordKind, tuple[str, ...]] = {
    "decision": ("time", "decision_id", "tenant", "policy", "chosen"),
    "outcome": ("time", "decision_id", "response_id", "backend", "status"),
    "feedback": ("time", "idempotency_key", "decision_id", "response_id", "metric", "value"),
}
RECORD_KEY = b',"record":'  # cannot occur in the head: inside a JSON string its quotes would be escaped

_INSERT = {
    "decision": """INSERT INTO decisions (time, decision_id, tenant, policy, chosen, record) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (decision_id) DO NOTHING""",
    "outcome": """INSERT INTO outcomes (time, decision_id, response_id, backend, status, record)
        VALUES (?, ?, ?, ?, ?, ?)""",
    "feedback": """INSERT INTO feedback (time, idempotency_key, decision_id, response_id, metric, value, record)
        VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (idempotency_key) DO NOTHING""",
}

# What a line raises that is no record of ours, when it is read or written: it is kept apart, and the next one is taken.
_NO_RECORD = (
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)


@dataclass(frozen=True, slots=True)
class _Row:
    kind: str
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Lines that follow one another in a segment."""

    segment: str
    offset: int  # in bytes, of the first line
    lines: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Bytes of a segment that were never seen, though what stands before and behind them was."""

    segment: str
    start: int
    end: int


class SqliteStore:
    """A `Store` in one SQLite file; of errors it raises `sqlite3.Error` alone, and then nothing has changed."""

    waiting: int | None = None

    def __init__(self, path: Path, *, busy_timeout_s: float = 5.0, trusts_lines: bool = True) -> None:
        """Where lines are not trusted to be ours, each is parsed whole: one damaged record would stop all readers."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path, self._trusts_lines = path, trusts_lines
        # Made for its owner alone: it may hold prompts. SQLite gives the files beside it the same rights.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self._db = sqlite3.connect(path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    @property
    def exists(self) -> bool:
        """See `Store.exists`."""
        return self.path.exists()

    @property
    def identity(self) -> int:
        """Tells this journal from any other, whatever their files are called."""
        return int(self._db.execute("PRAGMA application_id").fetchone()[0])

    def take(self, segment: str, offset: int, lines: Sequence[bytes]) -> int:
        """See `Store.take`; one transaction."""
        with self._transaction():
            self._take(Run(segment=segment, offset=offset, lines=lines))
            return self.position(segment)

    def take_runs(self, runs: Sequence[Run]) -> tuple[Gap, ...]:
        """`take` of each, all in one transaction; returns what is missing between them and what was taken before."""
        with self._transaction():
            return tuple(gap for run in runs if (gap := self._take(run)) is not None)

    def note_damage(self, segment: str, offset: int, line: bytes, problem: str) -> None:
        """See `Store.note_damage`."""
        self._db.execute(
            "INSERT INTO damaged (segment, offset, line, problem) VALUES (?, ?, ?, ?)", (segment, offset, line, problem)
        )

    def position(self, segment: str) -> int:
        """See `Store.position`."""
        row = self._db.execute("SELECT offset FROM segments WHERE name = ?", (segment,)).fetchone()
        return int(row[0]) if row else 0

    def forget_segment(self, segment: str) -> None:
        """See `Store.forget_segment`."""
        self._db.execute("DELETE FROM segments WHERE name = ?", (segment,))

    def forget_before(self, time: float) -> int:
        """See `Store.forget_before`."""
        with self._transaction():
            gone = self._db.execute("DELETE FROM decisions WHERE time < ?", (time,)).rowcount
            self._db.execute("DELETE FROM outcomes WHERE time < ?", (time,))
            self._db.execute("DELETE FROM feedback WHERE time < ?", (time,))
        return gone

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _prepare(self) -> None:
        if (version := self._version) > SCHEMA_VERSION:
            raise sqlite3.DatabaseError(
                f"{self.path} has schema {version}, this program knows up to {SCHEMA_VERSION}; use a newer paretogate"
            )
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            for statement in filter(str.strip, _SCHEMA.split(";")):
                self._db.execute(statement)
            if self._version == 0:  # still new: readers that remember how far they came must tell it from another one
                self._db.execute(f"PRAGMA application_id = {secrets.randbits(31)}")
            self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @property
    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db)

    def _take(self, run: Run) -> Gap | None:
        done, offset = self.position(run.segment), run.offset
        gap = Gap(segment=run.segment, start=done, end=offset) if 0 < done < offset else None
        for line in run.lines:
            if offset >= done:
                self._insert(run.segment, offset, line)
            offset += len(line) + 1
        self._db.execute(
            "INSERT OR REPLACE INTO segments (name, offset) VALUES (?, ?)", (run.segment, max(offset, done))
        )
        return gap

    def _insert(self, segment: str, offset: int, line: bytes) -> None:
        try:
            row = _read_line(line)
            if not self._trusts_lines and not isinstance(orjson.loads(str(row.values[-1])), dict):
                raise ValueError("its record is no object")
            self._db.execute(_INSERT[row.kind], row.values)
        except _NO_RECORD as exc:
            self.note_damage(segment, offset, line, f"{type(exc).__name__}: {exc}")


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")


def _read_line(line: bytes) -> _Row:
    """Only the head is parsed; the record is kept as the bytes that were written."""
    cut = line.index(RECORD_KEY)
    head = orjson.loads(line[:cut] + b"}")
    if not line.endswith(b"}}"):
        raise ValueError("the line does not end as a record does")
    kind, columns = head["kind"], head["columns"]
    if kind == "decision" and columns[1] is None:
        raise ValueError("a decision without decision_id")
    time = _epoch(columns[0], otherwise=float(head["at"]))
    return _Row(kind, (time, *map(_scalar, columns[1:]), line[cut + len(RECORD_KEY) : -1].decode()))


def _epoch(value: object, *, otherwise: float) -> float:
    if isinstance(value, bool) or value is None:
        return otherwise
    if isinstance(value, int | float):
        return float(value)
    return datetime.fromisoformat(str(value)).timestamp()


def _scalar(value: object) -> object:
    if value is None or isinstance(value, str | int | float):
        return value
    return orjson.dumps(value).decode()
