"""The decision, from a query to a ranking. Read this file first."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from predictors import Forecast, ForecastSource, Load, Query

from .decision import Bools, Decision, Screening
from .exploration import Exploration
from .infeasible import no_eligible, shortfall
from .options import RoutingOptions
from .order import Order
from .pareto import non_dominated
from .policies import Policy
from .preferences import Valuation, Valuer, resolve
from .screening import Screener
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


class Router:
    """Screens, weighs and chooses among the candidates of one forecast source."""

    def __init__(
        self, source: ForecastSource, *, policies: Mapping[str, Policy] | None = None, explore: float = 0.02
    ) -> None:
        self.source = source
        self.policies = dict(policies or {})
        self.exploration = Exploration(rate=explore)
        self._screener = Screener(source.pool)
        self._valuer = Valuer(source.pool)
        self._order = Order(source.pool)
        self._stay = Stay(source.pool)

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
        preferences = resolve(options, self.policies)
        forecast = self._stay.priced(self.source.forecast(query, load=load), query, session)
        screening = self._screener.screen(
            query, forecast, options, policy=preferences.require, session=session, available=available
        )
        valuation = self._valuer.value(forecast, preferences)
        eligible = screening.eligible
        if not eligible.any():
            return self._relaxed(forecast, screening, valuation, options)
        all_are = bool(eligible.all())
        in_play = valuation.objectives if all_are else valuation.objectives[:, eligible]
        front = np.flatnonzero(eligible)[non_dominated(in_play)]
        admitted = valuation.admitted(eligible, within=preferences.quality_within)
        best = int(front[np.argmax(np.where(admitted[front], valuation.utility[front], -np.inf))])
        ranking = self._order.ranking(valuation.utility, eligible, admitted, options, first=best)
        kept = self._stay.kept(valuation.utility, eligible, best=best, session=session)
        chosen, propensity = best, 1.0
        if options.order:
            chosen, reason = ranking[0], "order"
        elif kept is not None:
            chosen, reason = kept, "session"
        elif options.explore:
            chosen, propensity = self.exploration.choose(valuation.utility, admitted, best=best, rng=rng)
            reason = "explored"
        if chosen == best:
            reason = "pareto" if len(ranking) > 1 else "only_candidate"
        return Decision(
            pool=self.source.pool,
            forecast=forecast,
            screening=screening,
            front=tuple(front.tolist()),
            utility=valuation.utility if all_are else np.where(eligible, valuation.utility, np.nan),
            ranking=self._order.fallbacks(ranking, options, first=chosen),
            propensity=propensity,
            explored=reason == "explored",
            policy=options.policy,
            reason=reason,
            value=valuation.utility,
        )

    def _relaxed(
        self, forecast: Forecast, screening: Screening, valuation: Valuation, options: RoutingOptions
    ) -> Decision:
        """Somebody who breaks only amounts, if the caller would rather have that than nothing."""
        off = shortfall(screening)
        if options.on_infeasible == "fail" or not off.relaxable.any():
            raise no_eligible(self.source.pool, screening)
        by = off.distance if options.on_infeasible == "closest" else forecast.cost_usd
        ranking = [i for i in np.lexsort((-valuation.utility, by)).tolist() if off.relaxable[i]]
        return Decision(
            pool=self.source.pool,
            forecast=forecast,
            screening=screening,
            front=(ranking[0],),
            utility=np.where(off.relaxable, valuation.utility, np.nan),
            ranking=self._order.fallbacks(ranking, options, first=ranking[0]),
            propensity=1.0,
            explored=False,
            policy=options.policy,
            reason=f"{options.on_infeasible}_relaxed",
            relaxed=", ".join(screening.constraints[k] for k in off.broken[ranking[0]]),
        )
