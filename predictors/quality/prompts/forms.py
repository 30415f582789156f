"""Does a prompt have the form of those that were learned from? Told by its surface alone."""

from typing import Self

import numpy as np
import numpy.typing as npt

from catalog import Floats
from predictors.errors import NotFittedError
from predictors.quality.protocol import Matrix

from .topics import merged_domains

__all__ = ["Forms"]

_MIN_PROMPTS = 20  # a domain with fewer is merged into its parent
_SHRINKAGE_PROMPTS = 20.0  # how many prompts the spread of all weighs against a domain's own covariance
_RIDGE_SHARE = 0.02  # of the spread of all prompts, added in every direction
_VARIANCE_FLOOR = 1e-4  # of the mean variance: distance along what never varied in training is large, yet finite


class Forms:
    """How far a prompt's surface lies from the nearest training domain's, by Mahalanobis distance.

    Encodings of two exams are close though one offers options and the other asks for a sum; and `TaskRecognition`
    looks only in directions in which training domains differ, where none is what is new. Options, lines, lengths and
    numbers tell at once. Trust is whole up to the `inside` quantile of training distances and gone at twice as far.
    """

    def __init__(self, *, inside: float = 0.995) -> None:
        self.inside = inside

    def fit(self, features: Matrix, domain: npt.NDArray[np.str_], *, n_surface: int) -> Self:
        """Learn from the last `n_surface` columns of (n_prompts, dim) features; without any, everything is trusted."""
        self.n_surface_ = n_surface
        surface = self._surface(features)  # (n_prompts, n_surface)
        spread = surface.var(axis=0)  # (n_surface,)
        least = np.diag(_RIDGE_SHARE * spread + _VARIANCE_FLOOR * (float(spread.mean()) if n_surface else 0.0) + 1e-12)
        maps, places = [], []
        merged = merged_domains(domain, min_prompts=_MIN_PROMPTS)
        for name in np.unique(merged):
            rows = surface[merged == name]
            centre = rows.mean(axis=0)
            scatter = (rows - centre).T @ (rows - centre) + _SHRINKAGE_PROMPTS * np.diag(spread)
            whitening = np.linalg.cholesky(np.linalg.inv(scatter / (len(rows) + _SHRINKAGE_PROMPTS) + least))
            maps.append(whitening)
            places.append(centre @ whitening)
        self.whitening_: Matrix = np.concatenate(maps, axis=1)  # (n_surface, n_domains * n_surface)
        self.place_: Floats = np.concatenate(places)  # (n_domains * n_surface,)
        self.edge_ = float(np.quantile(self._distance(features), self.inside)) if n_surface else 1.0
        return self

    def trust(self, features: Matrix) -> Floats:
        """Trust in each query in [0, 1], (n_queries,)."""
        if not hasattr(self, "edge_"):
            raise NotFittedError(self)
        if not self.n_surface_:
            return np.ones(len(features))
        return np.clip(2.0 - self._distance(features) / max(self.edge_, 1e-12), 0.0, 1.0)

    def _surface(self, features: Matrix) -> Matrix:
        surface: Matrix = features[:, features.shape[1] - self.n_surface_ :]
        return surface

    def _distance(self, features: Matrix) -> Floats:
        """Squared distance to the nearest domain."""
        white = self._surface(features) @ self.whitening_ - self.place_  # (n_queries, n_domains * n_surface)
        squares = (white**2).reshape(len(features), -1, self.n_surface_).sum(axis=2)  # (n_queries, n_domains)
        nearest: Floats = squares.min(axis=1)
        return nearest
