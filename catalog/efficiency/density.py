"""Capability density: how large a reference model would have to be to do as well, by how large this one is.

A reference model of N parameters trained on D tokens has the loss a N^-alpha + b D^-beta, and a loss L gives the
score c / (1 + exp(-gamma (L - l))) + d. Both are inverted at D0 = 1T tokens. The fitted constants were not published:
whoever passes constants answers for them.

Source: Xiao et al., Densing Law of LLMs, arXiv 2412.04315 v2; Nature Machine Intelligence 7, 1823 (2025).
"""

import math
from dataclasses import dataclass

from catalog.errors import InvalidProfileError

__all__ = ["DOUBLING_DAYS", "DensityLaw", "size_needed_now"]

_GROWTH_PER_DAY = 0.0073  # slope of the law over all models, R2 0.912
DOUBLING_DAYS = math.log(2) / _GROWTH_PER_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class DensityLaw:
    """The constants of one family of benchmarks. `gamma` is negative: the score falls as the loss rises."""

    a: float
    alpha: float
    b: float
    beta: float
    c: float
    gamma: float
    l: float  # noqa: E741 - the paper's letter
    d: float
    tokens: float = 1e12

    def __post_init__(self) -> None:
        if self.gamma >= 0 or min(self.a, self.alpha, self.b, self.beta, self.c, self.tokens) <= 0:
            raise InvalidProfileError("a, alpha, b, beta, c and tokens must be positive and gamma negative")

    def loss(self, params: float) -> float:
        """Loss of a reference model with so many parameters."""
        return self.a * math.pow(params, -self.alpha) + self._data_loss

    def score(self, params: float) -> float:
        """Score of a reference model with so many parameters."""
        return self.c / (1.0 + math.exp(-self.gamma * (self.loss(params) - self.l))) + self.d

    def loss_of_score(self, score: float) -> float | None:
        """The loss at which the reference scores so; None outside the curve's open range (d, c + d)."""
        if not self.d < score < self.c + self.d:
            return None
        return self.l - math.log(self.c / (score - self.d) - 1.0) / self.gamma

    def effective_params(self, score: float, *, most: float = 1e15) -> float | None:
        """How large a reference model scores so; None where no size does, or none below `most`.

        Near the ceiling a hair of score is worth orders of magnitude of size, hence the limit.
        """
        loss = self.loss_of_score(score)
        if loss is None or loss <= self._data_loss:
            return None
        params: float = ((loss - self._data_loss) / self.a) ** (-1.0 / self.alpha)
        return params if params <= most else None

    def density(self, *, score: float, params: float) -> float | None:
        """Effective size by actual size; of a mixture of experts pass the active parameters."""
        effective = self.effective_params(score)
        return None if effective is None else effective / params

    @property
    def _data_loss(self) -> float:
        return self.b * math.pow(self.tokens, -self.beta)


def size_needed_now(params: float, *, age_days: float) -> float:
    """The size at which the best models of today do what a model of this size and age did, by the law's slope."""
    return params * math.pow(2.0, -age_days / DOUBLING_DAYS)
