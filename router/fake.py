"""A public fake: forecasts that are given, not predicted. For tests, and for trying policies out."""

from dataclasses import dataclass, field, fields

import numpy as np

from catalog import Pool
from predictors import Forecast, Load, OneByOne, Query

__all__ = ["FixedForecasts", "forecast_of"]

_COLUMNS = tuple(f.name for f in fields(Forecast) if f.name not in {"familiarity", "length_ratio"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedForecasts(OneByOne):
    """A ForecastSource that says the same of every query."""

    pool: Pool
    fixed: Forecast
    version: str = field(default="fixed")

    def forecast(self, query: Query, *, load: Load | None = None) -> Forecast:
        """The given forecast, whatever is asked."""
        del query, load
        return self.fixed


def forecast_of(pool: Pool, *, familiarity: float = 1.0, **columns: float | list[float]) -> Forecast:
    """A forecast with these columns; quality is 0.5 and an error 0 where not given, all else unknown."""
    given = {name: np.full(len(pool), np.nan) for name in _COLUMNS}
    given["quality"], given["quality_se"] = np.full(len(pool), 0.5), np.zeros(len(pool))
    for name, values in columns.items():
        given[name] = np.broadcast_to(np.asarray(values, dtype=np.float64), (len(pool),)).copy()
    return Forecast(**given, familiarity=familiarity, length_ratio=1.0)
