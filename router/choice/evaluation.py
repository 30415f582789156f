"""Requests with the same options, evaluated at once: one pass over the arrays of all instead of one per request."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from catalog import Floats, Pool, record
from predictors import Forecast, Forecasts
from router.decision import Bools, Positions, Screening
from router.request import RoutingRequest
from router.screening.screener import Demands, Screener
from router.screening.screenings import Screenings
from router.wishes.options import RoutingOptions

from .exploration import Exploration
from .order import Order
from .pareto import fronts
from .preferences import Preferences, Valuer

__all__ = ["Evaluation", "Evaluations", "Evaluator", "ResolvedOptions"]

_LOWEST = np.finfo(np.float64).min


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedOptions:
    """What follows from a caller's options and the pool alone, whatever the prompt."""

    preferences: Preferences
    demands: Demands
    objectives: tuple[str, ...]


@record
class Evaluation:
    """All that the arrays say about one request; what is left is to choose."""

    forecast: Forecast
    screening: Screening
    front: tuple[int, ...]
    admitted: Bools  # (n_candidates,), the eligible that come near enough to the best quality
    value: Floats  # (n_candidates,), the utility of everybody
    utility: Floats  # (n_candidates,), NaN for the ineligible
    best: int  # of the front; where nobody is eligible, nobody in particular
    by_utility: list[int]  # the eligible, the admitted first
    propensities: Floats  # (n_candidates,), where one may be drawn instead of the best
    quality: Floats  # (n_candidates,), the cautious one
    quality_within: float | None
    objectives: tuple[str, ...]


@record
class Evaluations:
    """What the arrays say about several requests; put together for one only when it is asked for.

    All arrays but `best`, (n_queries,), have shape (n_queries, n_candidates).
    """

    forecasts: Forecasts
    screenings: Screenings
    front: Bools
    admitted: Bools
    utility: Floats
    utility_of_eligible: Floats
    best: Positions
    by_utility: Positions  # the eligible first
    n_eligible: list[int]  # of every query
    propensities: Floats
    quality: Floats
    quality_within: float | None
    objectives: tuple[str, ...]

    def __getitem__(self, row: int) -> Evaluation:
        """The evaluation of one request."""
        screening = self.screenings[row]
        return Evaluation(
            forecast=self.forecasts[row],
            screening=screening,
            front=tuple(self.front[row].nonzero()[0].tolist()),
            admitted=self.admitted[row],
            value=self.utility[row],
            utility=self.utility_of_eligible[row],
            best=self.best.item(row),
            by_utility=self.by_utility[row, : self.n_eligible[row]].tolist(),
            propensities=self.propensities[row],
            quality=self.quality[row],
            quality_within=self.quality_within,
            objectives=self.objectives,
        )


class Evaluator:
    """Screens, weighs and orders the candidates of one pool."""

    def __init__(self, pool: Pool, *, exploration: Exploration, order: Order) -> None:
        self._exploration, self._order = exploration, order
        self._screener, self._valuer = Screener(pool), Valuer(pool)

    def resolved_options(self, preferences: Preferences, options: RoutingOptions) -> ResolvedOptions:
        """Made once per options, for many requests."""
        demands = self._screener.demands(options, preferences.require)
        return ResolvedOptions(preferences=preferences, demands=demands, objectives=preferences.objectives)

    def evaluate(
        self,
        requests: Sequence[RoutingRequest],
        forecasts: Forecasts,
        options: ResolvedOptions,
        *,
        available: Bools | None = None,
    ) -> Evaluations:
        """One evaluation per request; at least one request."""
        screenings = self._screener.screen(requests, forecasts, options.demands, available=available)
        eligible = screenings.eligible
        valuation = self._valuer.value(forecasts, options.preferences)
        admitted = valuation.admitted(eligible, within=options.preferences.quality_within)
        front = fronts(valuation.objectives, eligible)
        utility = valuation.utility
        # Weights without measure make a utility infinite, or none at all: it must still beat those not admitted.
        best = np.where(front & admitted, np.fmax(utility, _LOWEST), -np.inf).argmax(axis=1)  # (n_queries,)
        return Evaluations(
            forecasts=forecasts,
            screenings=screenings,
            front=front,
            admitted=admitted,
            utility=utility,
            utility_of_eligible=np.where(eligible, utility, np.nan),
            best=best,
            by_utility=self._order.by_utility(utility, eligible, admitted),
            n_eligible=eligible.sum(axis=1).tolist(),
            propensities=self._exploration.propensities(utility, admitted, best),
            quality=valuation.quality,
            quality_within=options.preferences.quality_within,
            objectives=options.objectives,
        )
