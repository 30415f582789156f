"""What holds on a task that nobody has seen: how scores move with a prompt's surface within those that were seen."""

from typing import Self

import numpy as np
import numpy.typing as npt

from catalog import Floats
from predictors.errors import NotFittedError
from predictors.quality.prompts.topics import merged_domains
from predictors.quality.protocol import Matrix, TrainingSet

from .imputation import filled

__all__ = ["SurfaceSlopes"]

_MIN_PROMPTS = 20  # a domain with fewer is merged into its parent
_LEAST_SPREAD = 1e-9  # of features that are all the same


class SurfaceSlopes:
    """Each model's slopes on length, digits, options and the like, common to all domains.

    Everything is centred within domains before it is fitted: between them a long prompt is merely of another kind, and
    only what holds within each can hold in one more. The encoding is left out, since what it tells is bound to the
    domains it was learned on (docs/quality-studies.md).
    """

    def __init__(self, *, penalty: float = 1.0) -> None:
        self.penalty = penalty  # per prompt, of features with a spread of 1

    def fit(self, training: TrainingSet) -> Self:
        """Learn from the last `n_surface` columns of the features; without any there are no slopes."""
        surface = training.features[:, training.features.shape[1] - training.n_surface :]  # (n_prompts, n_surface)
        domains = merged_domains(training.domain, min_prompts=_MIN_PROMPTS)
        self.centre_: Floats = surface.mean(axis=0)  # (n_surface,)
        # One scale for all features: by a scale of its own, one that hardly moved within domains would weigh much in a
        # prompt where it does, though nothing was learned of it.
        square = float(((surface - self.centre_) ** 2).sum()) / max(surface.size, 1)
        self.scale_ = 1.0 / max(square**0.5, _LEAST_SPREAD)
        rows, score = self.scale_ * _within(surface, domains), _within(filled(training.score), domains)
        gram = rows.T @ rows + self.penalty * len(rows) * np.eye(rows.shape[1])
        self.slopes_: Matrix = np.asarray(np.linalg.solve(gram, rows.T @ score), dtype=np.float64)
        return self

    def predict(self, features: Matrix) -> Matrix:
        """What the surface of each query adds to the means of the models, shape (n_queries, n_models)."""
        if not hasattr(self, "slopes_"):
            raise NotFittedError(self)
        surface = features[:, features.shape[1] - len(self.centre_) :]
        added: Matrix = ((surface - self.centre_) * self.scale_) @ self.slopes_
        return added


def _within(values: Matrix, domains: npt.NDArray[np.str_]) -> Matrix:
    """Values (n_prompts, k) less their means within the domains (n_prompts,)."""
    _, where, count = np.unique(domains, return_inverse=True, return_counts=True)
    total = np.zeros((len(count), values.shape[1]))
    np.add.at(total, where, values)
    centred: Matrix = values - (total / count[:, None])[where]
    return centred
