"""Forecasts for the queries of one turn, made at once: one pass over the arrays instead of one per query."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Protocol

import numpy as np

from catalog import Floats, Pool, record

from .forecast import Forecast, Load
from .query import Query

__all__ = ["ForecastSource", "Forecasts", "OneByOne"]


@record
class Forecasts:
    """Query after query, what `Forecast` says of each; every array has shape (n_queries, n_candidates)."""

    quality: Floats
    quality_se: Floats
    output_tokens: Floats
    output_tokens_sd: Floats
    cost_usd: Floats
    cost_usd_sd: Floats
    ttft_s: Floats
    ttft_s_sd: Floats
    latency_s: Floats
    latency_s_sd: Floats
    familiarity: Floats  # (n_queries,)
    length_ratio: Floats  # (n_queries,)

    @classmethod
    def of(cls, forecasts: Sequence[Forecast]) -> "Forecasts":
        """Those that were made one by one; at least one."""
        return cls(**{name: np.array([getattr(f, name) for f in forecasts]) for name in _COLUMNS})

    def __len__(self) -> int:
        return len(self.quality)

    def __getitem__(self, query: int) -> Forecast:
        """The forecast of one query; its arrays are views."""
        return Forecast(
            quality=self.quality[query],
            quality_se=self.quality_se[query],
            output_tokens=self.output_tokens[query],
            output_tokens_sd=self.output_tokens_sd[query],
            cost_usd=self.cost_usd[query],
            cost_usd_sd=self.cost_usd_sd[query],
            ttft_s=self.ttft_s[query],
            ttft_s_sd=self.ttft_s_sd[query],
            latency_s=self.latency_s[query],
            latency_s_sd=self.latency_s_sd[query],
            familiarity=float(self.familiarity[query]),
            length_ratio=float(self.length_ratio[query]),
        )

    def take(self, queries: Sequence[int] | slice) -> "Forecasts":
        """Those of some queries; of a slice, views."""
        return Forecasts(**{name: getattr(self, name)[queries] for name in _COLUMNS})


_COLUMNS = tuple(f.name for f in fields(Forecasts))


class ForecastSource(Protocol):
    """Forecasts for one pool. Pure: the same query and load give the same forecast, alone and among others.

    Up to rounding: what ships multiplies in single precision, and a product of one row sums in another order.
    """

    @property
    def pool(self) -> Pool:
        """The candidates, in the order of every array of the forecasts."""
        ...

    @property
    def version(self) -> str:
        """Names the predictor and its fit, for the record of every decision."""
        ...

    def forecast(self, query: Query, *, load: Load | None = None) -> Forecast:
        """What each candidate of the pool would do with this query."""
        ...

    def forecasts(self, queries: Sequence[Query], *, load: Load | None = None) -> Forecasts:
        """The same of several queries, at least one; none of them counts as load to the others."""
        ...

    def under(self, load: Load, forecasts: Forecasts, queries: Sequence[Query]) -> Forecasts:
        """What `forecasts(queries, load=load)` gives, from those at no load: what no load changes is not made again."""
        ...

    def slack(self, load: Load) -> Floats:
        """How many more calls each candidate takes before its forecast changes noticeably, (n_candidates,)."""
        ...


class OneByOne:
    """The parts of a `ForecastSource` that are about many queries, for one that only knows about one."""

    __slots__ = ()

    def forecasts(self: ForecastSource, queries: Sequence[Query], *, load: Load | None = None) -> Forecasts:
        """What each candidate of the pool would do with each query."""
        return Forecasts.of([self.forecast(query, load=load) for query in queries])

    def under(self: ForecastSource, load: Load, forecasts: Forecasts, queries: Sequence[Query]) -> Forecasts:
        """The queries' forecasts anew: nobody says what of them a load leaves alone."""
        del forecasts
        return self.forecasts(queries, load=load)

    def slack(self: ForecastSource, load: Load) -> Floats:
        """No load changes these forecasts: (n_candidates,) of infinity."""
        del load
        return np.full(len(self.pool), np.inf)
