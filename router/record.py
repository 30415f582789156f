"""A decision as the journal keeps it: enough to replay it, to learn from it, and to judge it off-policy."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date

from catalog import Floats
from predictors import Query

from .constraints import Constraints
from .decision import Decision
from .options import RoutingOptions
from .remembered import Remembered
from .session import SessionState

__all__ = ["SCHEMA", "decision_record", "routing_record"]

SCHEMA = 2  # 1 had positions among the candidates where there are now names
_DEFAULT_OPTIONS = RoutingOptions()
_DEFAULT_REQUIRE = Constraints()
_OPTION_FIELDS = tuple(f.name for f in fields(RoutingOptions) if f.name not in {"require", "allow", "deny"})
_REQUIRE_FIELDS = tuple(f.name for f in fields(Constraints))
_PRICES = {"max_input_usd_per_mtok": "input", "max_output_usd_per_mtok": "output"}


def decision_record(
    decision: Decision,
    *,
    decision_id: str,
    time: str | float,
    tenant: str | None,
    key_id: str | None,
    session: SessionState | str | None,
    query: Query,
    options: RoutingOptions,
    features: Mapping[str, object] | Sequence[float] | None = None,
    encoding: Mapping[str, object] | None = None,
    text: str | None = None,
    versions: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """A DecisionRecord of plain values, ready for orjson.

    Args:
        decision: what was decided.
        decision_id: its identity.
        time: when, as the caller's clock says it.
        tenant: whose request it was.
        key_id: which key it came with; never the key itself.
        session: the conversation it belongs to.
        query: what was asked; its text is left out unless it is given as `text`.
        options: what the caller demanded and preferred.
        features: what the predictor saw, if it is to be kept.
        encoding: `{name, digest, vector}` of the prompt, if it is to be kept.
        text: the prompt, where the operator keeps prompts.
        versions: of the catalog, the predictor and the policy.
    """
    asked: dict[str, object] = {
        "tokens": query.input_tokens,
        "n_turns": query.n_turns,
        "max_output_tokens": query.max_output_tokens,
        "needs": sorted(query.needs),
        "features": features,
        "encoding": encoding,
    }
    if text is not None:
        asked["text"] = text
    ids, backends, first = decision.pool.ids, decision.pool.backend_ids, decision.ranking[0]
    return {
        "schema": SCHEMA,
        "decision_id": decision_id,
        "time": time,
        "tenant": tenant,
        "key_id": key_id,
        "session": session.backend_id if isinstance(session, SessionState) else session,
        "query": asked,
        "routing": _routing(options),
        "candidates": _candidates(decision),
        "front": [ids[position] for position in decision.front],
        "chosen": ids[first],
        "backend": backends[first],
        "ranking": [backends[position] or ids[position] for position in decision.ranking],
        "propensity": decision.propensity,
        "explored": decision.explored,
        "policy": decision.policy,
        "reason": decision.reason,
        "relaxed": decision.relaxed,
        "familiarity": float(decision.forecast.familiarity),
        "versions": dict(versions or {}),
    }


def routing_record(options: RoutingOptions) -> dict[str, object]:
    """The `routing` object that says the same, with what was left at its default left out."""
    said: dict[str, object] = {
        name: _plain(getattr(options, name))
        for name in _OPTION_FIELDS
        if getattr(options, name) != getattr(_DEFAULT_OPTIONS, name)
    }
    said["policy"] = options.policy
    models = {name: list(getattr(options, name)) for name in ("allow", "deny") if getattr(options, name)}
    if models:
        said["models"] = models
    if options.require is not _DEFAULT_REQUIRE and options.require != _DEFAULT_REQUIRE:
        said["require"] = _require(options.require)
    return said


_routing = Remembered(routing_record)  # records are read, never changed


def _require(constraints: Constraints) -> dict[str, object]:
    said: dict[str, object] = {}
    prices: dict[str, object] = {}
    for name in _REQUIRE_FIELDS:
        limit = getattr(constraints, name)
        if limit != getattr(_DEFAULT_REQUIRE, name):
            (prices if name in _PRICES else said)[_PRICES.get(name, name)] = _plain(limit)
    return said | ({"max_price_usd_per_mtok": prices} if prices else {})


def _candidates(decision: Decision) -> list[dict[str, object]]:
    forecast = decision.forecast
    columns = zip(
        decision.pool.ids,
        decision.pool.backend_ids,
        _numbers(forecast.quality),
        _numbers(forecast.quality_se),
        _numbers(forecast.cost_usd),
        _numbers(forecast.latency_s),
        decision.screening.eligible.tolist(),
        strict=True,
    )
    return [
        {
            "id": model,
            "backend": backend,
            "quality": quality,
            "quality_se": quality_se,
            "cost_usd": cost_usd,
            "latency_s": latency_s,
            "eligible": eligible,
        }
        for model, backend, quality, quality_se, cost_usd, latency_s, eligible in columns
    ]


def _numbers(column: Floats) -> list[float | None]:
    return [None if number != number else number for number in column.tolist()]  # noqa: PLR0124 - NaN is unknown


def _plain(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return dict(value)
    return value
