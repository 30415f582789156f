"""The coordinates in which prompts are compared: standardised features, and what the prompt is about."""

import weakref
from typing import Self

import numpy as np
import numpy.typing as npt

from catalog import Floats
from predictors.errors import NotFittedError
from predictors.quality.protocol import Matrix

from .topics import Topics

__all__ = ["PromptBasis"]

_SPREAD = 0.5  # root mean square of a standardised column


class PromptBasis:
    """Centred features at a common scale, followed by centred topic probabilities times `topic_weight`.

    The topic part lets a linear head hold one value per domain; its weight says how much more cheaply than a value
    per encoding coordinate. `surface_weight` does the same for surface features: length tells more of how hard a
    prompt is than any one coordinate of its encoding (both chosen by grouped cross-validation, see
    docs/quality-studies.md).
    """

    def __init__(
        self, *, topic_weight: float = 15.0, surface_weight: float = 1.0, topics: Topics | None = None
    ) -> None:
        self.topic_weight = topic_weight
        self.surface_weight = surface_weight
        self.topics = topics or Topics()
        self._fitted_on: weakref.ref[Matrix] | None = None

    def fit(self, features: Matrix, domain: npt.NDArray[np.str_], *, n_surface: int = 0) -> Self:
        """Learn centre, scales and topics from (n_prompts, dim) features and their domains (n_prompts,).

        The last `n_surface` columns are surface features. Fitting again on the very same array is free, so that the
        members of an ensemble can share a basis.
        """
        if self._fitted_on is not None and self._fitted_on() is features:
            return self
        self.centre_: Floats = features.mean(axis=0)  # (dim,)
        spread = float(np.sqrt(np.mean((features - self.centre_) ** 2)))
        self.scale_: Floats = np.full(features.shape[1], _SPREAD / spread if spread > 0 else 1.0)  # (dim,)
        self.scale_[features.shape[1] - n_surface :] *= self.surface_weight
        standard = self.standard(features)
        self.topics.fit(standard, domain)
        self.topic_centre_: Floats = self.topics.predict(standard).mean(axis=0)  # (n_topics,)
        self._fitted_on = weakref.ref(features)
        return self

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.centre_) + len(self.topic_centre_)

    def standard(self, features: Matrix) -> Matrix:
        """The coordinates without the topics, shape (n_queries, n_features): centred, at a common scale."""
        if not hasattr(self, "scale_"):
            raise NotFittedError(self)
        standard: Matrix = (features - self.centre_) * self.scale_
        return standard

    def transform(self, features: Matrix) -> Matrix:
        """Coordinates of each query, shape (n_queries, dim)."""
        standard = self.standard(features)
        topics = (self.topics.predict(standard) - self.topic_centre_) * self.topic_weight
        return np.concatenate([standard, topics], axis=1)

    def fold_in(self, weights: Matrix) -> tuple[Matrix, Floats, Matrix]:
        """A linear map of the coordinates as one of raw features and topics: the short way at serving time.

        Returns:
            (dim, k) weights of the raw features, (k,) constants, (n_topics, k) weights of the topic probabilities,
            whose sum equals `transform(features) @ weights`.
        """
        on_features = weights[: len(self.centre_)] * self.scale_[:, None]
        on_topics = weights[len(self.centre_) :] * self.topic_weight
        return on_features, -(self.centre_ @ on_features + self.topic_centre_ @ on_topics), on_topics
