"""A gateway's journal read as decisions, each with what came of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from catalog import Floats
from predictors import InvalidOutcomesError
from predictors.journal_outcomes import chosen_position, journal_records

from .table import Bools

__all__ = ["LoggedDecision", "read_journal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedDecision:
    """A journalled decision and what came of it; arrays have shape (n_candidates,), NaN where unknown."""

    decision_id: str
    candidates: tuple[str, ...]  # catalog ids
    chosen: int
    propensity: float
    eligible: Bools
    quality: Floats
    quality_se: Floats
    cost_usd: Floats
    expected_latency_s: Floats
    prompt: str  # the text where it was kept, else what names it
    has_prompt: bool  # it was kept
    input_tokens: int
    reward: float | None  # the mean of its feedback, in [0, 1]
    paid_usd: float | None
    latency_s: float | None
    tenant: str = field(default="")


def read_journal(path: Path, *, metric: str | None = None) -> tuple[LoggedDecision, ...]:
    """Join decisions with their outcomes and their feedback.

    Args:
        path: the journal, exported (JSONL) or as its SQLite file.
        metric: the feedback that counts as reward; None takes all whose value lies in [0, 1].

    Raises:
        InvalidOutcomesError: a line is no record; names file, line and remedy.
    """
    decisions: dict[str, Mapping[str, object]] = {}
    outcomes: dict[str, Mapping[str, object]] = {}
    rewards: dict[str, list[float]] = {}
    by_response: dict[str, str] = {}
    feedback: list[Mapping[str, object]] = []
    for record in journal_records(path):
        if "candidates" in record:
            decisions[str(record["decision_id"])] = record
        elif "metric" in record:
            feedback.append(record)
        else:
            outcomes[str(record.get("decision_id"))] = record
            by_response[str(record.get("response_id"))] = str(record.get("decision_id"))
    for record in feedback:
        value = record.get("value")
        about = str(record.get("decision_id") or by_response.get(str(record.get("response_id"))))
        if isinstance(value, int | float) and 0 <= value <= 1 and metric in (None, record["metric"]):
            rewards.setdefault(about, []).append(float(value))
    return tuple(
        _logged(key, decision, outcomes.get(key, {}), rewards.get(key, ())) for key, decision in decisions.items()
    )


def _logged(
    key: str, decision: Mapping[str, object], outcome: Mapping[str, object], rewards: Iterable[float]
) -> LoggedDecision:
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
    text, scores = facts.get("text"), list(rewards)
    if outcome.get("backend") not in (None, candidates[chosen].get("backend")):
        scores = []  # after a fallback it is another model that was rewarded
    return LoggedDecision(
        decision_id=key,
        candidates=tuple(str(c.get("id")) for c in candidates),
        chosen=chosen,
        propensity=propensity,
        eligible=np.array([bool(c.get("eligible", True)) for c in candidates]),
        quality=_column(candidates, "quality"),
        quality_se=_column(candidates, "quality_se"),
        cost_usd=_column(candidates, "cost_usd"),
        expected_latency_s=_column(candidates, "latency_s"),
        prompt=str(text or key),
        has_prompt=bool(text),
        input_tokens=int(facts.get("tokens") or 1),
        reward=sum(scores) / len(scores) if scores else None,
        paid_usd=_number(outcome.get("cost_usd")),
        latency_s=_number(outcome.get("latency_s")),
        tenant=str(decision.get("tenant") or ""),
    )


def _column(candidates: Sequence[Mapping[str, object]], name: str) -> Floats:
    values = [_number(c.get(name)) for c in candidates]
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)  # (n_candidates,)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
