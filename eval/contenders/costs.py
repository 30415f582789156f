"""What a call will cost, learned from training prompts when the table's own prices are all there is."""

from typing import Self

import numpy as np

from catalog import Floats

__all__ = ["CostModel"]

_SMALLEST_USD = 1e-9  # keeps the logarithm of a free call finite


class CostModel:
    """Each model's mean cost times one factor per prompt, which is the same for all models.

    A long or hard prompt costs more whoever answers; how much more is read off the features by a ridge regression on
    the log-ratio of a call's cost to its model's mean. Assumes that models differ by a constant factor.
    """

    def __init__(self, *, alpha: float = 100.0) -> None:
        self.alpha = alpha

    def fit(self, features: Floats, cost_usd: Floats) -> Self:
        """Learn from prompts (n_prompts, dim) and the costs of their calls (n_prompts, n_models), NaN if untried."""
        log_cost = np.log(np.maximum(cost_usd, _SMALLEST_USD))  # (n_prompts, n_models), NaN if untried
        per_model = np.nanmean(log_cost, axis=0)  # (n_models,)
        factor = np.nanmean(log_cost - per_model, axis=1)  # (n_prompts,)
        self.centre_ = features.mean(axis=0)  # (dim,)
        self.scale_ = np.maximum(features.std(axis=0), 1e-12)  # (dim,)
        x = self._standardised(features)  # (n_prompts, dim)
        gram = x.T @ x + self.alpha * np.eye(x.shape[1])  # (dim, dim)
        self.slope_ = np.linalg.solve(gram, x.T @ (factor - factor.mean()))  # (dim,)
        rough = np.exp(per_model + self._factor(features)[:, None])  # (n_prompts, n_models)
        tried = ~np.isnan(cost_usd)
        # the mean of a skewed cost exceeds the exponential of its mean logarithm: scale each model to its true total
        ratio = np.nansum(cost_usd, axis=0) / np.sum(np.where(tried, rough, 0.0), axis=0)  # (n_models,)
        self.level_ = per_model + np.log(np.maximum(ratio, _SMALLEST_USD))  # (n_models,)
        error = np.where(tried, cost_usd - self.predict(features), 0.0)
        self.sd_ = np.sqrt((error**2).sum(axis=0) / np.maximum(tried.sum(axis=0), 1))  # (n_models,)
        return self

    def predict(self, features: Floats) -> Floats:
        """Expected cost of every model, US dollars, shape (n_queries, n_models)."""
        expected: Floats = np.exp(self.level_ + self._factor(features)[:, None])
        return expected

    def _standardised(self, features: Floats) -> Floats:
        standardised: Floats = (features - self.centre_) / self.scale_
        return standardised

    def _factor(self, features: Floats) -> Floats:
        return np.clip(self._standardised(features) @ self.slope_, -4.0, 4.0)  # (n_queries,)
