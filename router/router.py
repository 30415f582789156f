"""The decision, from a query to a ranking. Read this file first."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from catalog.identity_cache import IdentityCache
from predictors import Forecasts, ForecastSource, Load, Query

from .choice.evaluation import Evaluation, Evaluations, Evaluator, ResolvedOptions
from .choice.exploration import Exploration
from .choice.order import Order
from .choice.preferences import resolve
from .decision import Bools, Decision, Screening
from .errors import InvalidRoutingError, NoEligibleModelError, RoutingError
from .request import RoutingRequest
from .screening.infeasible import no_eligible, shortfall
from .session import SessionAffinity, SessionState
from .wishes.options import RoutingOptions
from .wishes.policy import Policy

__all__ = ["Decider", "Router"]


class Decider(Protocol):
    """What the gateway, replay and the command line need of a router."""

    def decide(
        self,
        query: Query,
        options: RoutingOptions,
        *,
        rng: np.random.Generator,
        session: SessionState | None = None,
        load: Load | None = None,
        available: Bools | None = None,
    ) -> Decision:
        """Choose among the pool's candidates.

        Args:
            query: what is asked.
            options: what the caller demands and prefers.
            rng: decides whether and where to explore; the propensity is in the decision.
            session: the conversation so far, if there is one.
            load: how busy the backends are.
            available: (n_candidates,) False where a circuit breaker is open or a budget is spent.

        Raises:
            NoEligibleModelError: every candidate breaks a constraint and the caller chose to fail.
            InvalidRoutingError: the options name a policy that does not exist.
        """
        ...

    def decide_all(
        self,
        requests: Sequence[RoutingRequest],
        *,
        rng: np.random.Generator,
        load: Load | None = None,
        available: Bools | None = None,
        at_no_load: Forecasts | None = None,
    ) -> Iterator[Decision | RoutingError]:
        """The same for several requests at once, as if each had come alone, in their order; at least one.

        `at_no_load` are the forecasts of their queries with no load minded, where somebody has made them already.

        What would be raised for one is given back in its place. Each is decided when it is taken: a caller who learns
        from a decision that the load has changed leaves the rest, and nothing has been drawn for them.
        """
        ...


class Router:
    """Screens, weighs and chooses among the candidates of one forecast source."""

    def __init__(
        self, source: ForecastSource, *, policies: Mapping[str, Policy] | None = None, explore: float = 0.02
    ) -> None:
        self.source = source
        self.policies = dict(policies or {})
        self.exploration = Exploration(rate=explore)
        self._order = Order(source.pool)
        self._affinity = SessionAffinity(source.pool)
        self._evaluator = Evaluator(source.pool, exploration=self.exploration, order=self._order)
        self._resolve_cached = IdentityCache(self._resolve_anew)

    def decide(
        self,
        query: Query,
        options: RoutingOptions,
        *,
        rng: np.random.Generator,
        session: SessionState | None = None,
        load: Load | None = None,
        available: Bools | None = None,
    ) -> Decision:
        """Choose among the pool's candidates; see `Decider.decide`."""
        requests = (RoutingRequest(query=query, options=options, session=session),)
        (decision,) = self.decide_all(requests, rng=rng, load=load, available=available)
        if isinstance(decision, RoutingError):
            raise decision
        return decision

    def decide_all(
        self,
        requests: Sequence[RoutingRequest],
        *,
        rng: np.random.Generator,
        load: Load | None = None,
        available: Bools | None = None,
        at_no_load: Forecasts | None = None,
    ) -> Iterator[Decision | RoutingError]:
        """Choose for several requests; see `Decider.decide_all`."""
        if not len(self.source.pool):
            nobody = Screening(checks=(), eligible=np.zeros(0, dtype=np.bool_))
            yield from (no_eligible(self.source.pool, nobody) for _ in requests)
            return
        queries = [request.query for request in requests]
        if at_no_load is None:
            forecasts = self.source.forecasts(queries, load=load)
        else:
            forecasts = at_no_load if load is None else self.source.under(load, at_no_load, queries)
        forecasts = self._affinity.priced(forecasts, queries, [request.session for request in requests])
        resolved = self._resolve_all([request.options for request in requests])
        for request, found in zip(requests, self._evaluated(requests, forecasts, resolved, available), strict=True):
            if isinstance(found, RoutingError):
                yield found
                continue
            evaluations, row = found
            try:
                yield self._decision(request, evaluations[row], rng)
            except NoEligibleModelError as exc:
                yield exc

    def _resolve_all(self, all_options: Sequence[RoutingOptions]) -> list[ResolvedOptions | InvalidRoutingError]:
        """Each resolved; equal options get the same object, so that their requests are evaluated together."""
        found: list[ResolvedOptions | InvalidRoutingError] = []
        different: list[tuple[RoutingOptions, ResolvedOptions]] = []
        for options in all_options:
            same = next((known for other, known in different if other is options or other == options), None)
            resolved = same if same is not None else self._resolve(options)
            if same is None and isinstance(resolved, ResolvedOptions):
                different.append((options, resolved))
            found.append(resolved)
        return found

    def _resolve(self, options: RoutingOptions) -> ResolvedOptions | InvalidRoutingError:
        try:
            return self._resolve_cached(options)
        except InvalidRoutingError as exc:  # not remembered: every request has an error of its own
            return exc

    def _resolve_anew(self, options: RoutingOptions) -> ResolvedOptions:
        return self._evaluator.resolved_options(resolve(options, self.policies), options)

    def _evaluated(
        self,
        requests: Sequence[RoutingRequest],
        forecasts: Forecasts,
        resolved: Sequence[ResolvedOptions | InvalidRoutingError],
        available: Bools | None,
    ) -> list[tuple[Evaluations, int] | InvalidRoutingError]:
        """The evaluations that hold each request's, and its row there: equal options are evaluated together."""
        rows_of: dict[int, list[int]] = {}
        for row, options in enumerate(resolved):
            rows_of.setdefault(id(options), []).append(row)
        found: dict[int, tuple[Evaluations, int] | InvalidRoutingError] = {}
        for rows in rows_of.values():
            options = resolved[rows[0]]
            if isinstance(options, InvalidRoutingError):
                found.update(dict.fromkeys(rows, options))
                continue
            group = [requests[row] for row in rows]
            theirs = forecasts if len(rows) == len(requests) else forecasts.take(rows)
            evaluations = self._evaluator.evaluate(group, theirs, options, available=available)
            found.update((row, (evaluations, number)) for number, row in enumerate(rows))
        return [found[row] for row in range(len(requests))]

    def _decision(self, request: RoutingRequest, evaluation: Evaluation, rng: np.random.Generator) -> Decision:
        if not evaluation.by_utility:
            return self._relaxed(evaluation, request)
        options, best = request.options, evaluation.best
        ranking = self._order.ranking(evaluation.by_utility, options, first=best)
        kept = self._affinity.kept(evaluation.value, evaluation.admitted, best=best, session=request.session)
        chosen, propensities = best, None
        if options.order:
            chosen, reason = ranking[0], "order"
        elif kept is not None:
            chosen, reason = kept, "session"
        elif options.explore:
            chosen, reason = self.exploration.choose(evaluation.propensities, best=best, rng=rng), "explored"
            propensities = evaluation.propensities if evaluation.propensities.item(best) < 1.0 else None
        if chosen == best:
            reason = "pareto" if len(ranking) > 1 else "only_candidate"
        return Decision(
            pool=self.source.pool,
            forecast=evaluation.forecast,
            screening=evaluation.screening,
            front=evaluation.front,
            utility=evaluation.utility,
            ranking=self._order.fallbacks(ranking, options, first=chosen),
            propensity=1.0 if propensities is None else propensities.item(chosen),
            propensities=propensities,
            explored=reason == "explored",
            policy=options.policy,
            reason=reason,
            value=evaluation.value,
            cautious_quality=evaluation.quality,
            quality_within=evaluation.quality_within,
            objectives=evaluation.objectives,
        )

    def _relaxed(self, evaluation: Evaluation, request: RoutingRequest) -> Decision:
        """Somebody who breaks only amounts, if the caller would rather have that than nothing."""
        options = request.options
        screening, off = evaluation.screening, shortfall(evaluation.screening)
        if options.on_infeasible == "fail" or not off.relaxable.any():
            raise no_eligible(self.source.pool, screening, query=request.query, forecast=evaluation.forecast)
        by = off.distance if options.on_infeasible == "closest" else evaluation.forecast.cost_usd
        ranking = [i for i in np.lexsort((-evaluation.value, by)).tolist() if off.relaxable[i]]
        return Decision(
            pool=self.source.pool,
            forecast=evaluation.forecast,
            screening=screening,
            front=(ranking[0],),
            utility=np.where(off.relaxable, evaluation.value, np.nan),
            ranking=self._order.fallbacks(ranking, options, first=ranking[0]),
            propensity=1.0,
            explored=False,
            policy=options.policy,
            reason=f"{options.on_infeasible}_relaxed",
            relaxed=", ".join(screening.constraints[k] for k in off.broken[ranking[0]]),
            objectives=evaluation.objectives,
        )
