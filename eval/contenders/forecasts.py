"""Forecasts computed in one batch, handed to the router one by one: replay decides by the code that serves."""

from collections.abc import Sequence

import numpy as np

from catalog import Floats, Pool
from predictors import Forecast, Load, OneByOne, Query
from predictors.quality.protocol import QualityEstimate

__all__ = ["BatchForecasts"]


class BatchForecasts(OneByOne):
    """A ForecastSource over known prompts. What no contender forecasts (lengths, often latency) is NaN: unknown.

    Args:
        pool: the candidates.
        version: names the predictor and its fold.
        prompts: the known prompts; of equal ones the first counts.
        quality: expected scores, (n_prompts, n_candidates).
        cost_usd: expected costs, (n_prompts, n_candidates).
        cost_usd_sd: their standard deviations, (n_candidates,).
        latency_s: expected seconds to the whole answer, (n_prompts, n_candidates), where they are known.
    """

    def __init__(
        self,
        *,
        pool: Pool,
        version: str,
        prompts: Sequence[str],
        quality: QualityEstimate,
        cost_usd: Floats,
        cost_usd_sd: Floats,
        latency_s: Floats | None = None,
    ) -> None:
        self.pool, self.version = pool, version
        self._row: dict[str, int] = {}
        for row, prompt in enumerate(prompts):
            self._row.setdefault(prompt, row)
        self._quality, self._cost_usd, self._cost_usd_sd = quality, cost_usd, cost_usd_sd
        self._latency_s = np.full(cost_usd.shape, np.nan) if latency_s is None else latency_s
        self._unknown = np.full(len(pool), np.nan)  # (n_candidates,)

    def forecast(self, query: Query, *, load: Load | None = None) -> Forecast:
        """The batch's row of this prompt; how busy backends are does not change a recorded outcome."""
        del load
        row = self._row[query.text]
        unknown = self._unknown
        return Forecast(
            quality=self._quality.mean[row],
            quality_se=self._quality.se[row],
            output_tokens=unknown,
            output_tokens_sd=unknown,
            cost_usd=self._cost_usd[row],
            cost_usd_sd=self._cost_usd_sd,
            ttft_s=unknown,
            ttft_s_sd=unknown,
            latency_s=self._latency_s[row],
            latency_s_sd=unknown,
            familiarity=float(self._quality.familiarity[row]),
        )
