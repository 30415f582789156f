"""The decision, from a query to a ranking. Read this file first."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from predictors import Forecasts, ForecastSource, Load, Query

from .asked import Asked
from .decision import Bools, Decision, Screening
from .errors import InvalidRoutingError, NoEligibleModelError, RoutingError
from .exploration import Exploration
from .identity_cache import IdentityCache
from .infeasible import no_eligible, shortfall
from .judging import Judge, Judged, Judgements, Wishes
from .options import RoutingOptions
from .order import Order
from .policies import Policy
from .preferences import resolve
from .session import SessionState, Stay

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
        asked: Sequence[Asked],
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
        self._stay = Stay(source.pool)
        self._judge = Judge(source.pool, exploration=self.exploration, order=self._order)
        self._wishes = IdentityCache(self._make_wishes)

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
        asked = (Asked(query=query, options=options, session=session),)
        (decision,) = self.decide_all(asked, rng=rng, load=load, available=available)
        if isinstance(decision, RoutingError):
            raise decision
        return decision

    def decide_all(
        self,
        asked: Sequence[Asked],
        *,
        rng: np.random.Generator,
        load: Load | None = None,
        available: Bools | None = None,
        at_no_load: Forecasts | None = None,
    ) -> Iterator[Decision | RoutingError]:
        """Choose for several requests; see `Decider.decide_all`."""
        if not len(self.source.pool):
            nobody = Screening(checks=(), eligible=np.zeros(0, dtype=np.bool_))
            yield from (no_eligible(self.source.pool, nobody) for _ in asked)
            return
        queries = [one.query for one in asked]
        if at_no_load is None:
            forecasts = self.source.forecasts(queries, load=load)
        else:
            forecasts = at_no_load if load is None else self.source.under(load, at_no_load, queries)
        forecasts = self._stay.priced(forecasts, queries, [one.session for one in asked])
        wishes = self._all_wished([one.options for one in asked])
        for one, judged in zip(asked, self._judged(asked, forecasts, wishes, available), strict=True):
            if isinstance(judged, RoutingError):
                yield judged
                continue
            judgements, row = judged
            try:
                yield self._decision(one, judgements[row], rng)
            except NoEligibleModelError as exc:
                yield exc

    def _all_wished(self, all_options: Sequence[RoutingOptions]) -> list[Wishes | InvalidRoutingError]:
        """The wishes of each; equal options have the same object, so that they are judged together."""
        found: list[Wishes | InvalidRoutingError] = []
        different: list[tuple[RoutingOptions, Wishes]] = []
        for options in all_options:
            same = next((known for other, known in different if other is options or other == options), None)
            wished = same if same is not None else self._wished(options)
            if same is None and isinstance(wished, Wishes):
                different.append((options, wished))
            found.append(wished)
        return found

    def _wished(self, options: RoutingOptions) -> Wishes | InvalidRoutingError:
        try:
            return self._wishes(options)
        except InvalidRoutingError as exc:  # not remembered: every request has an error of its own
            return exc

    def _make_wishes(self, options: RoutingOptions) -> Wishes:
        return self._judge.wishes(resolve(options, self.policies), options)

    def _judged(
        self,
        asked: Sequence[Asked],
        forecasts: Forecasts,
        wishes: Sequence[Wishes | InvalidRoutingError],
        available: Bools | None,
    ) -> list[tuple[Judgements, int] | InvalidRoutingError]:
        """Where each request's judgement is found: those with the same wishes are judged together."""
        alike: dict[int, list[int]] = {}
        for row, one in enumerate(wishes):
            alike.setdefault(id(one), []).append(row)
        found: dict[int, tuple[Judgements, int] | InvalidRoutingError] = {}
        for rows in alike.values():
            wished = wishes[rows[0]]
            if isinstance(wished, InvalidRoutingError):
                found.update(dict.fromkeys(rows, wished))
                continue
            theirs = forecasts if len(rows) == len(asked) else forecasts.take(rows)
            judgements = self._judge.judge([asked[row] for row in rows], theirs, wished, available=available)
            found.update((row, (judgements, number)) for number, row in enumerate(rows))
        return [found[row] for row in range(len(asked))]

    def _decision(self, one: Asked, judged: Judged, rng: np.random.Generator) -> Decision:
        if not judged.by_utility:
            return self._relaxed(judged, one.options)
        options, best = one.options, judged.best
        ranking = self._order.ranking(judged.by_utility, options, first=best)
        kept = self._stay.kept(judged.value, judged.screening.eligible, best=best, session=one.session)
        chosen, propensity = best, 1.0
        if options.order:
            chosen, reason = ranking[0], "order"
        elif kept is not None:
            chosen, reason = kept, "session"
        elif options.explore:
            chosen, propensity = self.exploration.choose(judged.near, best=best, rng=rng)
            reason = "explored"
        if chosen == best:
            reason = "pareto" if len(ranking) > 1 else "only_candidate"
        return Decision(
            pool=self.source.pool,
            forecast=judged.forecast,
            screening=judged.screening,
            front=judged.front,
            utility=judged.utility,
            ranking=self._order.fallbacks(ranking, options, first=chosen),
            propensity=propensity,
            explored=reason == "explored",
            policy=options.policy,
            reason=reason,
            value=judged.value,
        )

    def _relaxed(self, judged: Judged, options: RoutingOptions) -> Decision:
        """Somebody who breaks only amounts, if the caller would rather have that than nothing."""
        screening, off = judged.screening, shortfall(judged.screening)
        if options.on_infeasible == "fail" or not off.relaxable.any():
            raise no_eligible(self.source.pool, screening)
        by = off.distance if options.on_infeasible == "closest" else judged.forecast.cost_usd
        ranking = [i for i in np.lexsort((-judged.value, by)).tolist() if off.relaxable[i]]
        return Decision(
            pool=self.source.pool,
            forecast=judged.forecast,
            screening=screening,
            front=(ranking[0],),
            utility=np.where(off.relaxable, judged.value, np.nan),
            ranking=self._order.fallbacks(ranking, options, first=ranking[0]),
            propensity=1.0,
            explored=False,
            policy=options.policy,
            reason=f"{options.on_infeasible}_relaxed",
            relaxed=", ".join(screening.constraints[k] for k in off.broken[ranking[0]]),
        )
