"""The journal read back: decisions with what came of them."""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import orjson

from predictors.journal.records import with_candidate_rows

from .errors import JournalDamagedError, JournalUnreadableError

__all__ = ["JournalReader", "JournalledCall", "JournalledOutcome"]

Record = Mapping[str, object]

_FEEDBACK = """
SELECT seq, record FROM feedback WHERE decision_id = :id
   OR response_id IN (SELECT response_id FROM outcomes WHERE decision_id = :id AND response_id IS NOT NULL)
ORDER BY seq
"""

_OUTCOMES = "SELECT seq, record FROM outcomes WHERE decision_id = :id ORDER BY seq"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalledCall:
    """One decision, the outcomes that it had, and what was said about them."""

    seq: int
    time: float  # seconds since the epoch
    decision: Record
    outcomes: tuple[Record, ...]
    feedback: tuple[Record, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalledOutcome:
    """One outcome, and the decision that led to it (None where that was forgotten or never made)."""

    seq: int
    time: float  # seconds since the epoch
    outcome: Record
    decision: Record | None


class JournalReader:
    """Reads a journal, also while a gateway writes it. Give it back by `close` or `with`.

    Raises:
        JournalUnreadableError: the file is missing or is no journal.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise JournalUnreadableError(path=str(path), problem="it does not exist; serve some requests first")
        if not path.is_file():
            raise JournalUnreadableError(path=str(path), problem="it is no regular file; name another (journal.url)")
        self.path = path
        self._db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0)
        try:
            self._db.execute("SELECT count(*) FROM segments").fetchone()
        except sqlite3.Error as exc:
            self._db.close()
            raise JournalUnreadableError(path=str(path), problem=str(exc)) from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def calls(self, *, after: int = 0, since: float = 0.0) -> Iterator[JournalledCall]:
        """Decisions in the order they were stored, from the one after a `seq` and not before a time.

        Raises:
            JournalDamagedError: a record is no JSON.
        """
        rows = self._db.execute(
            "SELECT seq, time, decision_id, record FROM decisions WHERE seq > ? AND time >= ? ORDER BY seq",
            (after, since),
        )
        for seq, time, decision_id, record in rows:
            yield JournalledCall(
                seq=seq,
                time=time,
                decision=(decision := self._decision(seq, record)),
                outcomes=self._records("outcomes", _OUTCOMES, decision_id),
                feedback=_of_tenant(decision, self._records("feedback", _FEEDBACK, decision_id)),
            )

    def outcomes(self, *, after: int = 0, since: float = 0.0) -> Iterator[JournalledOutcome]:
        """Outcomes in the order they were stored, from the one after a `seq` and not before a time.

        Raises:
            JournalDamagedError: a record is no JSON.
        """
        rows = self._db.execute(
            "SELECT o.seq, o.time, o.record, d.seq, d.record FROM outcomes o LEFT JOIN decisions d USING (decision_id) "
            "WHERE o.seq > ? AND o.time >= ? ORDER BY o.seq",
            (after, since),
        )
        for seq, time, outcome, decision_seq, decision in rows:
            yield JournalledOutcome(
                seq=seq,
                time=time,
                outcome=self._loaded("outcomes", seq, outcome),
                decision=None if decision is None else self._decision(decision_seq, decision),
            )

    @property
    def identity(self) -> int:
        """Tells this journal from any other, whatever their files are called."""
        return int(self._db.execute("PRAGMA application_id").fetchone()[0])

    def decision_of(self, response_id: str) -> str | None:
        """The decision behind a response, None where no outcome bears that id."""
        row = self._db.execute(
            "SELECT decision_id FROM outcomes WHERE response_id = ? ORDER BY seq DESC", (response_id,)
        ).fetchone()
        return row[0] if row else None

    def counts(self) -> dict[str, int]:
        """Rows per table."""
        return {
            table: self._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - our own table names
            for table in ("decisions", "outcomes", "feedback", "damaged")
        }

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _records(self, table: str, query: str, decision_id: str) -> tuple[Record, ...]:
        rows = self._db.execute(query, {"id": decision_id})
        return tuple(self._loaded(table, seq, record) for seq, record in rows)

    def _decision(self, seq: int, record: str) -> Record:
        """Without candidates where these are none that a gateway wrote: one odd record stops no reader."""
        loaded = self._loaded("decisions", seq, record)
        try:
            return with_candidate_rows(loaded)
        except ValueError:
            return {**loaded, "candidates": []}

    def _loaded(self, table: str, seq: int, record: str) -> dict[str, object]:
        try:
            return cast("dict[str, object]", orjson.loads(record))
        except orjson.JSONDecodeError:  # it quotes nothing, but carries the whole document
            raise JournalDamagedError(path=str(self.path), table=table, seq=seq) from None


def _of_tenant(decision: Record, feedback: tuple[Record, ...]) -> tuple[Record, ...]:
    """Judgements by whose answer it was; another tenant's word counts for nothing."""
    whose = decision.get("tenant")
    return feedback if whose is None else tuple(said for said in feedback if said.get("tenant") == whose)
