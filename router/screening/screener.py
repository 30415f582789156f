"""Which candidate breaks which constraint: what the caller demands, what the request needs, what is up.

A fact that is unknown breaks every constraint on it. Only the request's own need of context is lenient: a window that
nobody published is not held against a model that nobody complained about.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from statistics import NormalDist

import numpy as np

from catalog import Floats, Pool
from predictors import Forecasts
from predictors.cost import input_token_ratio, input_tokens_added
from router.decision import Bools, Check
from router.request import RoutingRequest
from router.wishes.constraints import Constraints
from router.wishes.options import RoutingOptions

from .facts import FACTS
from .screenings import Amount, Screenings

__all__ = ["Demands", "Screener", "normal_lower_bound"]

_Several = tuple[str, float, Floats, bool]  # name, limit, what each candidate has per query, whether at most the limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What a caller and a policy demand, with what follows from that and the pool alone."""

    listed: tuple[Check, ...]  # models allowed and denied
    required: tuple[tuple[Constraints, tuple[Check, ...]], ...]  # each with its checks that no query changes


class Screener:
    """Screens the candidates of one pool. What depends on the pool and the limit alone is remembered."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._input_ratio = input_token_ratio(pool)
        self._room = pool.context_tokens - input_tokens_added(pool)  # what is left of a window by a model's template
        self._remembered = lru_cache(maxsize=512)(self._of_pool)

    def demands(self, options: RoutingOptions, policy: Constraints | None = None) -> Demands:
        """Once for many queries; `policy` brings a policy's own constraints."""
        lists = (("models.allow", options.allow), ("models.deny", options.deny))
        required = [options.require] if policy is None else [options.require, policy]
        return Demands(
            listed=tuple(self._remembered(name, globs) for name, globs in lists if globs),
            required=tuple(
                (require, tuple(self._remembered(name, limit) for name, limit in _static_limits(require)))
                for require in required
            ),
        )

    def screen(
        self,
        requests: Sequence[RoutingRequest],
        forecasts: Forecasts,
        demands: Demands,
        *,
        available: Bools | None = None,
    ) -> Screenings:
        """Of every query, each constraint in force, and who breaks it."""
        before: tuple[Check, ...] = ()
        if available is not None and not available.all():
            before = (Check("available", limit=True, broken=~available, values=available.tolist()),)
        return Screenings(
            before=before,
            of_requests=self._of_requests(requests, forecasts, demands.listed),
            required=[
                ([_amount(*several) for several in self._of_forecasts(require, requests, forecasts)], static)
                for require, static in demands.required
            ],
            shape=(len(requests), len(self.pool)),
        )

    def _of_requests(
        self, requests: Sequence[RoutingRequest], forecasts: Forecasts, listed: tuple[Check, ...]
    ) -> dict[int, list[Check]]:
        """What the requests themselves need, by the number of the request."""
        checks: dict[int, list[Check]] = {}
        too_small = self._room < _wanted_tokens(requests, forecasts, self._input_ratio)  # an unknown window passes
        is_too_small_for_some = bool(too_small.any())
        for row, request in enumerate(requests):
            found: list[Check] = []
            if is_too_small_for_some and too_small[row].any():
                found.append(Check("context", request.query.input_tokens, too_small[row], self.pool.context_tokens))
            if request.query.needs:
                found.append(self._remembered("needs", request.query.needs))
            found.extend(listed)
            if request.session is not None and request.session.pinned:
                found.append(self._remembered("pinned", self._provider_of(request.session.backend_id)))
            if found:
                checks[row] = found
        return checks

    def _of_forecasts(
        self, require: Constraints, requests: Sequence[RoutingRequest], forecasts: Forecasts
    ) -> Iterator[_Several]:
        """Amounts that differ from query to query, (n_queries, n_candidates), in force only."""
        if require.max_cost_usd is not None:
            yield "max_cost_usd", require.max_cost_usd, forecasts.cost_usd, True
        if require.max_latency_s is not None:
            yield "max_latency_s", require.max_latency_s, forecasts.latency_s, True
        if require.max_ttft_s is not None:
            yield "max_ttft_s", require.max_ttft_s, forecasts.ttft_s, True
        if require.max_energy_wh is not None:
            n_answers = np.array(
                [[request.query.n_answers] for request in requests], dtype=np.float64
            )  # (n_queries, 1)
            energy_wh = self.pool.energy_wh_per_mtok * forecasts.output_tokens * n_answers / 1e6
            yield "max_energy_wh", require.max_energy_wh, energy_wh, True
        if require.min_quality is not None:
            lower = normal_lower_bound(forecasts.quality, forecasts.quality_se, confidence=require.confidence)
            yield "min_quality", require.min_quality, lower, False

    def _of_pool(self, name: str, limit: Hashable) -> Check:
        """A constraint on facts that no query changes."""
        if name in self._amounts:
            amounts, bound = self._amounts[name], _number(limit)
            within = amounts <= bound if name.startswith("max_") else amounts >= bound
            return Check(name, bound, ~within, amounts)  # NaN, an unknown amount, is not within anything
        if isinstance(limit, date):
            days = self.pool.released_day if name == "released_after" else self.pool.knowledge_day
            return Check(name, limit, ~(days > limit.toordinal()), days)
        fact, fits = FACTS[name]
        values = [fact(entry) for entry in self.pool.entries]
        broken = [value is None or not fits(value, limit) for value in values]
        return Check(name, limit, np.array(broken, dtype=np.bool_), values)

    @cached_property
    def _amounts(self) -> dict[str, Floats]:
        pool = self.pool
        return {
            "max_price_usd_per_mtok.input": pool.input_usd_per_token * 1e6,
            "max_price_usd_per_mtok.output": pool.output_usd_per_token * 1e6,
            "max_params_b": pool.params_b,
            "max_active_params_b": pool.active_params_b,
            "min_context": pool.context_tokens,
            "max_risk": pool.risk_cvar95,
            "max_agent_risk": pool.agent_risk,
        }

    def _provider_of(self, backend_id: str) -> str:
        """Who serves that backend; where it has left the pool, a name that nobody bears."""
        for entry in self.pool.entries:
            if entry.backend is not None and entry.backend.id == backend_id:
                return entry.backend.provider
        return f"the provider of {backend_id}"


def normal_lower_bound(mean: Floats, se: Floats, *, confidence: float) -> Floats:
    """The value that a normal variable exceeds with probability `confidence`; 0.5 gives the mean."""
    return mean if confidence == 0.5 else mean - _z(confidence) * se


@lru_cache(maxsize=256)
def _z(confidence: float) -> float:
    return NormalDist().inv_cdf(confidence)


def _static_limits(require: Constraints) -> Iterator[tuple[str, Hashable]]:
    """Constraints in force whose facts do not depend on the query."""
    for name, field in _STATIC:
        limit = getattr(require, field)
        if limit not in _NOT_IN_FORCE:
            yield name, limit


_NOT_IN_FORCE: tuple[object, ...] = (None, frozenset(), "any")
_STATIC = (
    ("max_price_usd_per_mtok.input", "max_input_usd_per_mtok"),
    ("max_price_usd_per_mtok.output", "max_output_usd_per_mtok"),
    *(
        (name, name)
        for name in (
            "max_params_b",
            "max_active_params_b",
            "released_after",
            "knowledge_after",
            "licenses",
            "providers",
            "exclude_providers",
            "regions",
            "privacy",
            "tiers",
            "capabilities",
            "min_context",
            "max_risk",
            "max_agent_risk",
            "quantizations",
        )
    ),
)


def _amount(name: str, limit: float, values: Floats, at_most: bool) -> Amount:  # noqa: FBT001 - a row's last column
    within = values <= limit if at_most else values >= limit  # NaN, an unknown amount, breaks both
    return Amount(name=name, limit=limit, broken=~within, values=values)


def _wanted_tokens(requests: Sequence[RoutingRequest], forecasts: Forecasts, input_ratio: Floats) -> Floats:
    """Input and output in each model's own tokens, (n_queries, n_candidates), before its template adds some.

    As much output as the caller allows, else as is expected.
    """
    read = np.array([[request.query.input_tokens] for request in requests], dtype=np.float64)  # (n_queries, 1)
    wanted = np.where(np.isnan(forecasts.output_tokens), 0.0, forecasts.output_tokens)
    limits = [request.query.max_output_tokens for request in requests]
    if any(limit is not None for limit in limits):
        allowed = np.array(limits, dtype=np.float64)[:, None]  # (n_queries, 1), NaN where nothing is said
        wanted = np.where(np.isnan(allowed), wanted, allowed)
    return read * input_ratio + wanted


def _number(limit: Hashable) -> float:
    assert isinstance(limit, int | float)  # noqa: S101 - narrows the type; constraints are typed at their own door
    return float(limit)
