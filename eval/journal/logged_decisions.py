"""A gateway's journal read as decisions, each with what came of it."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from catalog import Floats
from eval.outcomes.table import Bools
from predictors import InvalidOutcomesError
from predictors.journal.judgements import Judgements
from predictors.journal.outcomes import chosen_position, journal_records

__all__ = ["LoggedDecision", "read_journal"]

_CALLERS = frozenset({"named", "order"})  # reasons of decisions that the caller made by naming a model, or several


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedDecision:
    """A journalled decision and what came of it; arrays have shape (n_candidates,), NaN where unknown."""

    decision_id: str
    candidates: tuple[str, ...]  # catalog ids
    chosen: int
    propensity: float
    propensities: Floats  # of every candidate: 0 where it could not have been chosen, NaN where no record says
    eligible: Bools
    quality: Floats
    quality_se: Floats
    cost_usd: Floats
    expected_latency_s: Floats
    prompt: str  # its text where the journal kept that, else the decision's id in its place
    has_prompt: bool  # whether the text was kept
    input_tokens: int
    reward: float | None  # the mean of its feedback, in [0, 1]
    paid_usd: float | None
    latency_s: float | None
    tenant: str = ""
    policy: str = ""  # under which the decision was made
    last_answered: int | None = None  # the candidate that answered the turn before; None: there was none, or unknown


def read_journal(path: Path, *, metric: str | None = None) -> tuple[LoggedDecision, ...]:
    """Join decisions with their outcomes and their feedback.

    Requests that named their model, or an order of models, are left out: no policy and no predictor chose there, and
    none will.

    Args:
        path: the journal, exported (JSONL) or as its SQLite file.
        metric: the feedback that counts as reward; None takes all (`Judgements` says which values).

    Raises:
        InvalidOutcomesError: a line is no record; names file, line and remedy.
    """
    decisions: dict[str, _Read] = {}
    outcomes: dict[str, _Outcome] = {}
    judgements = Judgements(metric=metric)
    known: dict[tuple[str, ...], tuple[str, ...]] = {}
    for record in journal_records(path):  # of each only what is needed is kept: whole, they fill a machine's memory
        key = str(record.get("decision_id"))
        if "candidates" in record:
            if not _is_callers_choice(record):
                decisions[key] = _read(key, record, known)
                judgements.decided(record)
        elif "metric" in record:
            judgements.said(record)
        else:
            outcomes[key] = _Outcome(
                record.get("backend"), _number(record.get("cost_usd")), _number(record.get("latency_s"))
            )
            judgements.answered(record)
    rewards = judgements.rewards()
    return tuple(
        _logged(decision, outcomes.get(key, _NO_OUTCOME), rewards.get(key, ())) for key, decision in decisions.items()
    )


class _Read(NamedTuple):
    """A decision before anything is known of what came of it."""

    decision: LoggedDecision
    backend: object  # of the chosen candidate


class _Outcome(NamedTuple):
    """What came of a decision."""

    backend: object  # the one that answered
    cost_usd: float | None
    latency_s: float | None


_NO_OUTCOME = _Outcome(None, None, None)


def _logged(read: _Read, outcome: _Outcome, rewards: Sequence[float]) -> LoggedDecision:
    """The decision with what came of it."""
    scores = rewards if outcome.backend in (None, read.backend) else ()  # after a fallback another model was rewarded
    return replace(
        read.decision,
        reward=sum(scores) / len(scores) if scores else None,
        paid_usd=outcome.cost_usd,
        latency_s=outcome.latency_s,
    )


def _read(key: str, decision: Mapping[str, object], known: dict[tuple[str, ...], tuple[str, ...]]) -> _Read:
    """A decision as it was journalled; by `known`, equal lists of candidates are kept in memory only once."""
    candidates = decision["candidates"]
    if not isinstance(candidates, list) or not candidates:
        raise InvalidOutcomesError(f"decision {key}: it has no candidates; only routed requests can be evaluated")
    chosen = chosen_position(decision)
    if chosen is None:
        raise InvalidOutcomesError(f"decision {key}: the chosen {decision.get('chosen')!r} is not among its candidates")
    propensity = _number(decision.get("propensity"))
    if propensity is None:
        raise InvalidOutcomesError(f"decision {key}: it has no propensity; only logged choices can be evaluated")
    query = decision.get("query")
    facts = query if isinstance(query, dict) else {}
    text, names = facts.get("text"), tuple(str(c.get("id")) for c in candidates)
    backends = [c.get("backend") for c in candidates]
    last = decision.get("last_backend")
    logged = LoggedDecision(
        decision_id=key,
        candidates=known.setdefault(names, names),
        chosen=chosen,
        propensity=propensity,
        propensities=_propensities(candidates, chosen, propensity),
        eligible=np.array([bool(c.get("eligible", True)) for c in candidates]),
        quality=_column(candidates, "quality"),
        quality_se=_column(candidates, "quality_se"),
        cost_usd=_column(candidates, "cost_usd"),
        expected_latency_s=_column(candidates, "latency_s"),
        prompt=str(text or key),
        has_prompt=bool(text),
        input_tokens=int(facts.get("tokens") or 1),
        reward=None,
        paid_usd=None,
        latency_s=None,
        tenant=str(decision.get("tenant") or ""),
        policy=sys.intern(str(decision.get("policy") or "")),
        last_answered=backends.index(last) if last is not None and last in backends else None,
    )
    return _Read(logged, backends[chosen])


def _is_callers_choice(decision: Mapping[str, object]) -> bool:
    routing = decision.get("routing")
    return decision.get("reason") in _CALLERS or (isinstance(routing, Mapping) and bool(routing.get("order")))


def _propensities(candidates: Sequence[Mapping[str, object]], chosen: int, propensity: float) -> Floats:
    """As they were journalled. Older records have the chosen one's only: others' are 0 where that is 1, else NaN."""
    told = _column(candidates, "propensity")
    if np.isnan(told).all():
        told = np.full(len(candidates), 0.0 if propensity >= 1 else np.nan)
    told[chosen] = propensity
    return told


def _column(candidates: Sequence[Mapping[str, object]], name: str) -> Floats:
    values = [_number(c.get(name)) for c in candidates]
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)  # (n_candidates,)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
