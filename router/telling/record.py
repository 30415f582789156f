"""A decision as the journal keeps it: enough to replay it, to learn from it, and to judge it off-policy."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date
from typing import overload

import numpy as np
import orjson

from catalog import Floats, Pool
from catalog.identity_cache import IdentityCache
from predictors import Query
from router.decision import Decision
from router.session import SessionState
from router.wishes.constraints import Constraints
from router.wishes.options import RoutingOptions

__all__ = ["SCHEMA", "CandidateRows", "decision_record", "routing_record"]

SCHEMA = 2  # 1 had positions among the candidates where there are names now, and its rows were kept as rows
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
    last_backend: str | None = None,
    query: Query,
    options: RoutingOptions,
    features: Mapping[str, object] | Sequence[float] | None = None,
    encoding: Mapping[str, object] | None = None,
    text: str | None = None,
    versions: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """A DecisionRecord of plain values, its candidates aside (`CandidateRows`).

    Args:
        decision: what was decided.
        decision_id: its identity.
        time: when, as the caller's clock says it.
        tenant: whose request it was.
        key_id: which key it came with; never the key itself.
        session: the conversation it belongs to.
        last_backend: who answered last in that conversation, where that was remembered.
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
    if decision.forecast.length_ratio != 1.0:
        asked["length_ratio"] = decision.forecast.length_ratio
    if query.n_answers != 1:
        asked["n_answers"] = query.n_answers
    if query.thinking is not None:
        asked["thinking"] = query.thinking.facts()
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
        "last_backend": session.backend_id if isinstance(session, SessionState) else last_backend,
        "query": asked,
        "routing": _routing(options),
        "candidates": CandidateRows(decision),
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


_routing = IdentityCache(routing_record)  # records are read, never changed


def _require(constraints: Constraints) -> dict[str, object]:
    said: dict[str, object] = {}
    prices: dict[str, object] = {}
    for name in _REQUIRE_FIELDS:
        limit = getattr(constraints, name)
        if limit != getattr(_DEFAULT_REQUIRE, name):
            (prices if name in _PRICES else said)[_PRICES.get(name, name)] = _plain(limit)
    return said | ({"max_price_usd_per_mtok": prices} if prices else {})


class CandidateRows(Sequence[Mapping[str, object]]):
    """The candidates of a record: a row each for who reads them, columns for who keeps a thousand records a second.

    Each has the probability with which it would have been chosen (`propensity`), where it was not certain who is:
    what another policy would have chosen can be judged by the journal only where that is above 0.
    """

    def __init__(self, decision: Decision) -> None:
        forecast = decision.forecast
        self._pool = decision.pool
        self._numbers: dict[str, Floats] = {
            "quality": forecast.quality,
            "quality_se": forecast.quality_se,
            "cost_usd": forecast.cost_usd,
            "latency_s": forecast.latency_s,
        }
        if decision.propensities is not None:
            self._numbers["propensity"] = decision.propensities
        self._eligible = decision.screening.eligible

    def columns(self) -> dict[str, object]:
        """The same by columns, for orjson with `OPT_SERIALIZE_NUMPY` (NaN becomes null)."""
        ids, backends = _names_as_json(self._pool)
        numbers = {name: np.ascontiguousarray(column) for name, column in self._numbers.items()}
        return {"id": ids, "backend": backends, **numbers, "eligible": np.ascontiguousarray(self._eligible)}

    def __len__(self) -> int:
        return len(self._pool)

    @overload
    def __getitem__(self, at: int) -> Mapping[str, object]: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Mapping[str, object]]: ...
    def __getitem__(self, at: int | slice) -> Mapping[str, object] | Sequence[Mapping[str, object]]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        numbers = {name: _number(float(column[at])) for name, column in self._numbers.items()}
        named = {"id": self._pool.ids[at], "backend": self._pool.backend_ids[at]}
        return {**named, **numbers, "eligible": bool(self._eligible[at])}


def _pool_names(pool: Pool) -> tuple[orjson.Fragment, orjson.Fragment]:
    return orjson.Fragment(orjson.dumps(pool.ids)), orjson.Fragment(orjson.dumps(pool.backend_ids))


_names_as_json = IdentityCache(_pool_names)  # a gateway decides about the same few pools again and again


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


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
