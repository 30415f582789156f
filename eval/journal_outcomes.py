"""A gateway's journal as evidence: its outcomes as a table, and what another policy would have earned."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from catalog import Floats, ModelProfile, Pool, PoolEntry
from predictors import InvalidOutcomesError, Query
from predictors.journal_outcomes import chosen_position, journal_records
from predictors.outcomes import Outcomes
from predictors.quality.protocol import QualityEstimate
from router import NoEligibleModelError, Policy, Router, RoutingOptions

from .errors import InvalidReplayError
from .forecasts import BatchForecasts
from .off_policy import LoggedChoices, OffPolicyEstimate, evaluate_off_policy
from .table import Bools

__all__ = [
    "LoggedDecision",
    "bare_profile",
    "evaluate_policy",
    "journal_outcomes",
    "read_journal",
    "router_again",
]


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


def journal_outcomes(log: Sequence[LoggedDecision]) -> Outcomes:
    """The rewarded decisions as an outcomes table, with the propensity of each choice as one more column.

    Raises:
        InvalidOutcomesError: no decision has a reward.
    """
    import polars as pl  # noqa: PLC0415  # heavy, and needed only here

    rows = [
        {
            "prompt_id": d.decision_id,
            "prompt": d.prompt,
            "model": d.candidates[d.chosen],
            "score": d.reward,
            "cost_usd": d.paid_usd,
            "latency_s": d.latency_s,
            "propensity": d.propensity,
        }
        for d in log
        if d.reward is not None
    ]
    if not rows:
        raise InvalidOutcomesError("no decision of the journal has feedback; post some to /v1/feedback")
    return Outcomes.from_table(pl.DataFrame(rows, infer_schema_length=None), source="journal")


def evaluate_policy(
    log: Sequence[LoggedDecision],
    options: RoutingOptions,
    *,
    policies: Mapping[str, Policy] | None = None,
    clip: float | None = 50.0,
) -> OffPolicyEstimate:
    """Mean reward that another policy would have earned on the journalled requests, had it never explored.

    Every rewarded decision is made again by the router from the forecasts that were journalled; those forecasts,
    made before the reward was known, are the reward model of the direct and doubly robust estimates.

    Args:
        log: the journal.
        options: the policy to be valued.
        policies: what `options` may name beside the presets.
        clip: the largest importance weight allowed.

    Raises:
        InvalidReplayError: no decision has a reward, or nobody was eligible in any.
        NoOverlapError: the policy would make none of the logged choices.
    """
    made = [(d, choice) for d in log if d.reward is not None and (choice := _choice(d, options, policies)) is not None]
    if not made:
        raise InvalidReplayError("no decision of the journal has both feedback and an eligible candidate")
    return evaluate_off_policy(
        LoggedChoices(
            reward=np.array([d.reward for d, _ in made], dtype=np.float64),
            logged=np.array([d.propensity for d, _ in made]),
            target=np.array([float(choice == d.chosen) for d, choice in made]),
            modelled=np.array([d.quality[d.chosen] for d, _ in made]),
            modelled_value=np.array([d.quality[choice] for d, choice in made]),
        ),
        clip=clip,
    )


def router_again(
    decision: LoggedDecision,
    policies: Mapping[str, Policy] | None = None,
    *,
    quality: Floats | None = None,
    quality_se: Floats | None = None,
) -> tuple[Router, Query]:
    """What makes a journalled decision once more: its candidates as they were forecast, and its query.

    `quality` and its standard errors, (n_candidates,) each, replace those that were journalled.
    """
    pool = Pool(PoolEntry(profile=bare_profile(name)) for name in decision.candidates)
    query = Query(text=decision.prompt, input_tokens=decision.input_tokens)
    mean = decision.quality if quality is None else quality
    se = decision.quality_se if quality_se is None else quality_se
    source = BatchForecasts(
        pool=pool,
        version="journal",
        prompts=[query.text],
        quality=QualityEstimate(mean=mean[None], se=se[None], familiarity=np.ones(1, dtype=np.float64)),
        cost_usd=decision.cost_usd[None],
        cost_usd_sd=np.full(len(pool), np.nan),
    )
    return Router(source, policies=policies, explore=0.0), query


def _choice(decision: LoggedDecision, options: RoutingOptions, policies: Mapping[str, Policy] | None) -> int | None:
    router, query = router_again(decision, policies)
    rng = np.random.default_rng(0)  # never drawn from: nothing explores
    try:
        return router.decide(query, options, rng=rng, available=decision.eligible).ranking[0]
    except NoEligibleModelError:
        return None


def bare_profile(name: str) -> ModelProfile:
    """A profile of which nothing is known but the name."""
    return ModelProfile(id=name if "/" in name else f"journal/{name}", name=name)


def _logged(
    key: str, decision: Mapping[str, object], outcome: Mapping[str, object], rewards: Iterable[float]
) -> LoggedDecision:
    candidates = decision["candidates"]
    if not isinstance(candidates, list) or not candidates:
        raise InvalidOutcomesError(f"decision {key}: it has no candidates; only routed requests can be evaluated")
    chosen = chosen_position(decision)
    if chosen is None:
        raise InvalidOutcomesError(f"decision {key}: the chosen {decision.get('chosen')!r} is not among its candidates")
    query = decision.get("query")
    facts = query if isinstance(query, dict) else {}
    text, scores = facts.get("text"), list(rewards)
    if outcome.get("backend") not in (None, candidates[chosen].get("backend")):
        scores = []  # after a fallback it is another model that was rewarded
    return LoggedDecision(
        decision_id=key,
        candidates=tuple(str(c.get("id")) for c in candidates),
        chosen=chosen,
        propensity=float(str(decision["propensity"])),
        eligible=np.array([bool(c.get("eligible", True)) for c in candidates]),
        quality=_column(candidates, "quality"),
        quality_se=_column(candidates, "quality_se"),
        cost_usd=_column(candidates, "cost_usd"),
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
