"""A gateway's journal as outcomes: which prompt went to which model, and how good the caller said the answer was.

Reads the export (`paretogate journal export`, one JSON record a line) or the SQLite file itself, also while a gateway
writes it. Only decisions with feedback in [0, 1] (`Judgements`) and with a kept prompt teach anything.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from predictors.errors import InvalidOutcomesError

from .judgements import Judgements
from .records import with_candidate_rows

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "COLLECT_FIRST",
    "JOURNAL_SUFFIXES",
    "chosen_position",
    "is_journal",
    "is_journal_stream",
    "journal_records",
    "read_journal_table",
]

JOURNAL_SUFFIXES = (".sqlite3", ".sqlite", ".db")
COLLECT_FIRST = (
    "a journal in Redis is read from the file that it is collected into: `paretogate journal collect --to FILE.sqlite3`"
)
_STREAMS = ("redis:", "rediss:", "unix:")
_TABLES = ("decisions", "outcomes", "feedback")

Record = Mapping[str, object]
_Served = Mapping[str, str | None]  # backend -> the model that it serves


def is_journal(path: Path) -> bool:
    """Whether a file holds a gateway's journal: an SQLite file, or lines of which the first names a decision."""
    if path.suffix in JOURNAL_SUFFIXES:
        return True
    if path.suffix != ".jsonl":
        return False
    with path.open("rb") as lines:
        return b'"decision_id"' in next(lines, b"")


def is_journal_stream(name: str) -> bool:
    """Whether this is the address of a journal in Redis, which may hold a password and is not to be quoted."""
    return name.startswith(_STREAMS)


def journal_records(path: Path) -> Iterator[Record]:
    """Every record of a journal: decisions have `candidates`, feedback has a `metric`, any other is an outcome.

    Raises:
        InvalidOutcomesError: the file cannot be read as a journal; names the line.
    """
    return _from_sqlite(path) if path.suffix in JOURNAL_SUFFIXES else _from_lines(path)


def chosen_position(decision: Record) -> int | None:
    """Where the chosen candidate stands among the candidates; None where it is none of them.

    The backend tells two apart that serve one model. Records of schema 1 hold the position itself.
    """
    candidates, chosen = decision.get("candidates"), decision.get("chosen")
    if not isinstance(candidates, list):
        return None
    if isinstance(chosen, int) and not isinstance(chosen, bool):
        return chosen if 0 <= chosen < len(candidates) else None
    backend = decision.get("backend")
    names = [(c.get("id"), c.get("backend")) for c in candidates]
    exact = [i for i, (id_, served_by) in enumerate(names) if id_ == chosen and served_by == backend]
    loose = [i for i, both in enumerate(names) if chosen is not None and chosen in both]
    return next(iter([*exact, *loose]), None)


def read_journal_table(path: Path) -> "pl.DataFrame":
    """One row per rewarded decision: prompt_id, prompt, model, score, cost_usd, tokens, latency_s, ttft_s, propensity.

    An answer that was cut off at its limit has no `output_tokens`: how long it would have become is not known.

    Raises:
        InvalidOutcomesError: the file is no journal, no decision has feedback, or no prompt was kept.
    """
    import polars as pl  # noqa: PLC0415  # heavy, and needed only by those who train

    decisions, outcomes, rewards = _joined(journal_records(path))
    rewarded = [key for key in decisions if key in rewards]
    if not rewarded:
        raise InvalidOutcomesError(
            f"{path}: no decision has feedback between 0 and 1; post some to /v1/feedback, on no other scale"
        )
    made = (_row(key, decisions[key], outcomes.get(key, _UNANSWERED), rewards[key]) for key in rewarded)
    rows = [row for row in made if row is not None]
    if not rows:
        raise InvalidOutcomesError(
            f"{path}: {len(rewarded)} decisions have feedback, but no prompt was kept to learn from; set "
            'journal.prompts = "redacted" or "full"'
        )
    return pl.DataFrame(rows, infer_schema_length=None)


class _Asked(NamedTuple):
    """A decision whose prompt was kept; of its candidates, which model each backend serves."""

    prompt: str
    model: str | None  # of the chosen candidate
    served_by: _Served
    propensity: float | None
    n_answers: float


class _Answered(NamedTuple):
    backend: object
    cost_usd: float | None
    input_tokens: float | None
    output_tokens: float | None
    ttft_s: float | None
    latency_s: float | None


_UNANSWERED = _Answered(None, None, None, None, None, None)


def _joined(
    records: Iterable[Record],
) -> tuple[dict[str, _Asked | None], dict[str, _Answered], dict[str, list[float]]]:
    """Decisions and outcomes by decision, and what was said of each; feedback may name a response instead."""
    decisions: dict[str, _Asked | None] = {}
    outcomes: dict[str, _Answered] = {}
    judgements = Judgements()
    known: dict[tuple[tuple[str, str | None], ...], _Served] = {}
    for record in records:  # of each only what is needed is kept: whole, they fill a machine's memory
        key = str(record.get("decision_id"))
        if "candidates" in record:
            decisions[key] = _asked(record, known)
            judgements.decided(record)
        elif "metric" in record:
            judgements.said(record)
        else:
            outcomes[key] = _answered(record)
            judgements.answered(record)
    return decisions, outcomes, judgements.rewards()


def _asked(decision: Record, known: dict[tuple[tuple[str, str | None], ...], _Served]) -> _Asked | None:
    """None where there is nothing to learn from; `known` holds the candidates met before, for the same return."""
    query, candidates = decision.get("query"), decision.get("candidates")
    prompt = query.get("text") if isinstance(query, Mapping) else None
    if not isinstance(prompt, str) or not prompt or not isinstance(candidates, list):
        return None
    chosen = chosen_position(decision)
    names = tuple((str(c.get("backend")), _text(c.get("id"))) for c in candidates)
    served_by = known.setdefault(names, dict(names))
    return _Asked(
        prompt=prompt,
        model=None if chosen is None else names[chosen][1],
        served_by=served_by,
        propensity=_number(decision.get("propensity")),
        n_answers=_number(query.get("n_answers")) or 1.0 if isinstance(query, Mapping) else 1.0,
    )


def _answered(outcome: Record) -> _Answered:
    usage = outcome.get("usage")
    counted = usage if isinstance(usage, Mapping) else {}
    return _Answered(
        backend=outcome.get("backend"),
        cost_usd=_number(outcome.get("cost_usd")),
        input_tokens=_number(counted.get("input_tokens")),
        output_tokens=None if outcome.get("finish_reason") == "length" else _number(counted.get("output_tokens")),
        ttft_s=_number(outcome.get("ttft_s")),
        latency_s=_number(outcome.get("latency_s")),
    )


def _row(key: str, asked: _Asked | None, answered: _Answered, rewards: list[float]) -> dict[str, object] | None:
    if asked is None:
        return None
    # the backend that answered in the end: after a fallback the reward is not the first choice's
    model = asked.served_by.get(str(answered.backend)) or asked.model
    if model is None:
        return None
    return {
        "prompt_id": key,
        "prompt": asked.prompt,
        "model": model,
        "score": sum(rewards) / len(rewards),
        "cost_usd": answered.cost_usd if asked.n_answers == 1.0 else None,  # of several answers at once
        "input_tokens": answered.input_tokens,
        "output_tokens": answered.output_tokens if asked.n_answers == 1.0 else None,
        "ttft_s": answered.ttft_s,
        "latency_s": answered.latency_s,
        "propensity": asked.propensity,
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _from_lines(path: Path) -> Iterator[Record]:
    with path.open("rb") as lines:  # each is decoded by itself, so that a damaged one is told by its number
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _record(line, f"{path}: line {number}")


def _from_sqlite(path: Path) -> Iterator[Record]:
    try:
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5.0)
        try:
            for table in _TABLES:
                for (text,) in db.execute(f"SELECT record FROM {table} ORDER BY seq"):  # noqa: S608  # our own names
                    yield _record(text, f"{path}: a record of {table}")
        finally:
            db.close()
    except sqlite3.Error as exc:
        raise InvalidOutcomesError(f"{path}: cannot be read as a gateway's journal: {exc}") from exc


def _record(text: str | bytes, where: str) -> Record:
    try:
        record = json.loads(text)
    except ValueError as exc:
        raise InvalidOutcomesError(f"{where} is not JSON; export the journal again") from exc
    if not isinstance(record, dict):
        raise InvalidOutcomesError(f"{where} is no journal record; export the journal again")
    try:
        whole = with_candidate_rows(record)
    except ValueError as exc:
        raise InvalidOutcomesError(f"{where}: {exc}; export the journal again") from exc
    candidates = whole.get("candidates")
    if isinstance(candidates, list) and not all(isinstance(one, Mapping) for one in candidates):
        raise InvalidOutcomesError(f"{where}: its candidates are no records; export the journal again")
    return whole
