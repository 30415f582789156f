"""Expected quality as the mean over the most similar past prompts."""

from typing import Any, Self

import numpy as np

from catalog import Floats
from predictors.errors import NotFittedError
from predictors.quality.prompts.basis import PromptBasis
from predictors.quality.prompts.familiarity import Familiarity
from predictors.quality.protocol import Matrix, QualityEstimate, TrainingSet

from .imputation import filled, model_means

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
        self._index: Any = None  # of faiss

    def fit(self, training: TrainingSet) -> Self:
        """Remember the prompts; cells that were not tried count as their model's mean plus their prompt's ease."""
        self.basis.fit(training.features, training.domain, n_surface=training.n_surface)
        self.familiarity.fit(training.features, training.domain)
        self.score_: Matrix = filled(training.score)  # (n_prompts, n_models)
        self.means_: Floats = model_means(training.score)  # (n_models,)
        self.directions_: Matrix = self._directions(training.features)  # (n_prompts, basis dim)
        self._index = None
        return self

    def predict(self, features: Matrix) -> QualityEstimate:
        """Shrunk means of the neighbours' scores, and the standard error of such a mean."""
        if not hasattr(self, "score_"):
            raise NotFittedError(self)
        k = min(self.n_neighbours, len(self.score_))
        _, nearest = self._search_index().search(self._directions(features).astype(np.float32), k)  # (n_queries, k)
        total = self.score_[nearest].sum(axis=1) + self.shrinkage * self.means_  # (n_queries, n_models)
        mean = np.clip(total / (k + self.shrinkage), 0.0, 1.0)
        se = np.sqrt(mean * (1.0 - mean) / (k + self.shrinkage))
        return QualityEstimate(mean=mean, se=se, familiarity=self.familiarity.predict(features))

    def _search_index(self) -> Any:  # noqa: ANN401 - faiss has no public types
        """Made of the directions when it is first needed, also by a predictor that was restored."""
        if self._index is None:
            import faiss  # noqa: PLC0415  # 40 ms that only this predictor pays

            self._index = faiss.IndexFlatIP(self.directions_.shape[1])
            self._index.add(np.ascontiguousarray(self.directions_, dtype=np.float32))
        return self._index

    def _directions(self, features: Matrix) -> Matrix:
        rows = self.basis.transform(features)
        directions: Matrix = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return directions
