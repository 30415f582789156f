"""One linear head per model, shrunk strongly to the model's mean."""

from typing import Self

import numpy as np

from catalog import Floats
from predictors.errors import NotFittedError
from predictors.quality.prompts.basis import PromptBasis
from predictors.quality.prompts.familiarity import Familiarity
from predictors.quality.protocol import Matrix, QualityEstimate, TrainingSet

from .imputation import filled, model_means

__all__ = ["RidgeHeads"]


class RidgeHeads:
    """Ridge regression on the prompt basis, all models by one factorised Gram matrix.

    `penalty` is per prompt: it grows with the training set as the Gram matrix does, so that one value serves tables
    of 1,000 and of 10,000 prompts (chosen by grouped cross-validation, see docs/quality-studies.md).
    """

    def __init__(
        self, *, penalty: float = 1.0, basis: PromptBasis | None = None, familiarity: Familiarity | None = None
    ) -> None:
        self.penalty = penalty
        self.basis = basis or PromptBasis()
        self.familiarity = familiarity or Familiarity()

    def fit(self, training: TrainingSet) -> Self:
        """Closed form; cells that were not tried count as their model's mean plus their prompt's ease."""
        self.basis.fit(training.features, training.domain, n_surface=training.n_surface)
        self.familiarity.fit(training.features, training.domain)
        rows = self.basis.transform(training.features)  # (n_prompts, basis dim), centred
        score = filled(training.score)
        self.means_: Floats = model_means(training.score)  # (n_models,)
        gram = rows.T @ rows + self.penalty * len(rows) * np.eye(rows.shape[1])
        inverse = np.asarray(np.linalg.inv(gram), dtype=np.float64)
        self.weights_: Matrix = inverse @ (rows.T @ (score - score.mean(axis=0)))  # (basis dim, n_models)
        residual = score - self.means_ - rows @ self.weights_
        self.noise_: Floats = residual.std(axis=0)  # (n_models,)
        self.leverage_: Matrix = inverse  # (basis dim, basis dim)
        return self

    def predict(self, features: Matrix) -> QualityEstimate:
        """Expected scores; far from the training data, the models' means."""
        if not hasattr(self, "weights_"):
            raise NotFittedError(self)
        rows = self.basis.transform(features)
        familiarity = self.familiarity.predict(features)  # (n_queries,)
        mean = np.clip(self.means_ + familiarity[:, None] * (rows @ self.weights_), 0.0, 1.0)
        reach = np.sqrt(np.maximum(np.einsum("qd,de,qe->q", rows, self.leverage_, rows, optimize=True), 0.0))
        se = np.hypot(reach[:, None] * self.noise_, (1.0 - familiarity[:, None]) * self.noise_)
        return QualityEstimate(mean=mean, se=se, familiarity=familiarity)
