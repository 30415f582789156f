"""What every quality predictor can do, whatever is inside."""

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from catalog import Floats

__all__ = ["BoundQuality", "Matrix", "QualityEstimate", "QualityPredictor", "TrainingSet"]

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """Outcomes as a matrix: one row per prompt, one column per model; NaN where a pair was not tried."""

    features: Matrix  # (n_prompts, dim), from predictors.features
    score: Matrix  # (n_prompts, n_models), in [0, 1] or NaN
    models: tuple[str, ...]  # catalog ids where known, else the source's names
    domain: npt.NDArray[np.str_]  # (n_prompts,): "dataset/benchmark[/domain]"
    group: npt.NDArray[np.str_]  # (n_prompts,): split on this, never on rows
    n_surface: int = 0  # how many of the last columns of `features` are surface features; the others encode the text
    profile_features: Matrix | None = None  # (n_models, n_features), from predictors.quality.placement.cold_start

    def only(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "TrainingSet":
        """The same models on some of the prompts, given by a mask or by indices."""
        return replace(
            self,
            features=self.features[rows],
            score=self.score[rows],
            domain=self.domain[rows],
            group=self.group[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityEstimate:
    """Expected scores of every model on every query."""

    mean: Matrix  # (n_queries, n_models), in [0, 1]
    se: Matrix  # (n_queries, n_models), standard error of the mean
    familiarity: Floats  # (n_queries,), 1 near the training data, 0 far from it


class QualityPredictor(Protocol):
    """Fitted on outcomes; predicts expected scores with their errors."""

    def fit(self, training: TrainingSet) -> Self:
        """Learn from outcomes; everything learned ends in an underscore."""
        ...

    def predict(self, features: Matrix) -> QualityEstimate:
        """Expected scores for the models of the training set, in its order."""
        ...


class BoundQuality(Protocol):
    """A quality model bound to one pool of candidates: what the hot path calls for the queries of one turn."""

    def estimate(self, features: Matrix) -> tuple[Matrix, Matrix, Floats]:
        """Expected scores of every bound candidate on every query.

        Args:
            features: (n_queries, dim) rows of predictors.features; of one query (dim,), then no result has that axis.

        Returns:
            mean (n_queries, n_candidates) in [0, 1], its standard error (n_queries, n_candidates), and the familiarity
            of the queries (n_queries,) in [0, 1]; the candidates are in the order they were bound.
        """
        ...
