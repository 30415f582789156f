"""Expected quality as the mean over the most similar past prompts."""

from typing import Self

import numpy as np

from catalog import Floats
from predictors.errors import NotFittedError

from .basis import PromptBasis
from .familiarity import Familiarity
from .imputation import filled, model_means
from .protocol import Matrix, QualityEstimate, TrainingSet

__all__ = ["NearestNeighbours"]


class NearestNeighbours:
    """Exact cosine search on faiss in the prompt basis; each model's mean counts as `shrinkage` neighbours more."""

    def __init__(
        self,
        *,
        n_neighbours: int = 100,
        shrinkage: float = 10.0,
        basis: PromptBasis | None = None,
        familiarity: Familiarity | None = None,
    ) -> None:
        self.n_neighbours = n_neighbours
        self.shrinkage = shrinkage
        self.basis = basis or PromptBasis()
        self.familiarity = familiarity or Familiarity()

    def fit(self, training: TrainingSet) -> Self:
        """Remember the prompts; cells that were not tried count as their model's mean plus their prompt's ease."""
        import faiss  # noqa: PLC0415  # 40 ms that only this predictor pays

        self.basis.fit(training.features, training.domain)
        self.familiarity.fit(training.features, training.domain)
        self.score_: Matrix = filled(training.score)  # (n_prompts, n_models)
        self.means_: Floats = model_means(training.score)  # (n_models,)
        directions = self._directions(training.features)
        self.index_ = faiss.IndexFlatIP(directions.shape[1])
        self.index_.add(directions)
        return self

    def predict(self, features: Matrix) -> QualityEstimate:
        """Shrunk means of the neighbours' scores, and the standard error of such a mean."""
        if not hasattr(self, "score_"):
            raise NotFittedError(self)
        k = min(self.n_neighbours, len(self.score_))
        _, nearest = self.index_.search(self._directions(features), k)  # (n_queries, k)
        total = self.score_[nearest].sum(axis=1) + self.shrinkage * self.means_  # (n_queries, n_models)
        mean = np.clip(total / (k + self.shrinkage), 0.0, 1.0)
        se = np.sqrt(mean * (1.0 - mean) / (k + self.shrinkage))
        return QualityEstimate(mean=mean, se=se, familiarity=self.familiarity.predict(features))

    def _directions(self, features: Matrix) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        rows = self.basis.transform(features)
        length = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return np.ascontiguousarray(rows / length, dtype=np.float32)
