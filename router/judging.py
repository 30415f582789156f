"""Requests with the same wishes, judged at once: one pass over the arrays of all instead of one per request."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from catalog import Floats, Pool, record
from predictors import Forecast, Forecasts

from .asked import Asked
from .decision import Bools, Positions, Screening
from .exploration import Exploration
from .options import RoutingOptions
from .order import Order
from .pareto import fronts
from .preferences import Preferences, Valuer
from .screening import Demands, Screener, Screenings

__all__ = ["Judge", "Judged", "Judgements", "Wishes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What follows from a caller's options before anything is asked."""

    preferences: Preferences
    demands: Demands


@record
class Judged:
    """All that the arrays say about one request; what is left is to choose."""

    forecast: Forecast
    screening: Screening
    front: tuple[int, ...]
    value: Floats  # (n_candidates,), the utility of everybody
    utility: Floats  # (n_candidates,), NaN for the ineligible
    best: int  # of the front; where nobody is eligible, nobody in particular
    by_utility: list[int]  # the eligible, the admitted first
    near: Bools  # (n_candidates,), who may be drawn instead of the best


@record
class Judgements:
    """What the arrays say about several requests; put together for one only when it is asked for.

    All arrays but `best`, (n_queries,), have shape (n_queries, n_candidates).
    """

    forecasts: Forecasts
    screenings: Screenings
    front: Bools
    utility: Floats
    utility_of_eligible: Floats
    best: Positions
    by_utility: Positions  # the eligible first
    near: Bools

    def __getitem__(self, row: int) -> Judged:
        """The judgement of one request."""
        screening = self.screenings[row]
        n_eligible = np.count_nonzero(screening.eligible)
        return Judged(
            forecast=self.forecasts[row],
            screening=screening,
            front=tuple(self.front[row].nonzero()[0].tolist()),
            value=self.utility[row],
            utility=self.utility_of_eligible[row],
            best=self.best.item(row),
            by_utility=self.by_utility[row, :n_eligible].tolist(),
            near=self.near[row],
        )


class Judge:
    """Screens, weighs and orders the candidates of one pool."""

    def __init__(self, pool: Pool, *, exploration: Exploration, order: Order) -> None:
        self._exploration, self._order = exploration, order
        self._screener, self._valuer = Screener(pool), Valuer(pool)

    def wishes(self, preferences: Preferences, options: RoutingOptions) -> Wishes:
        """Made once per options, for many requests."""
        return Wishes(preferences=preferences, demands=self._screener.demands(options, preferences.require))

    def judge(
        self, asked: Sequence[Asked], forecasts: Forecasts, wishes: Wishes, *, available: Bools | None = None
    ) -> Judgements:
        """One judgement per request; at least one request."""
        screenings = self._screener.screen(asked, forecasts, wishes.demands, available=available)
        eligible = screenings.eligible
        valuation = self._valuer.value(forecasts, wishes.preferences)
        admitted = valuation.admitted(eligible, within=wishes.preferences.quality_within)
        front = fronts(valuation.objectives, eligible)
        utility = valuation.utility
        best = np.where(front & admitted, utility, -np.inf).argmax(axis=1)  # (n_queries,)
        return Judgements(
            forecasts=forecasts,
            screenings=screenings,
            front=front,
            utility=utility,
            utility_of_eligible=np.where(eligible, utility, np.nan),
            best=best,
            by_utility=self._order.by_utility(utility, eligible, admitted),
            near=self._exploration.near_best(utility, admitted, best),
        )
