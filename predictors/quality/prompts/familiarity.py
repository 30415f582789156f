"""How much a prompt resembles the training data: 1 inside it, falling to 0 far outside and on strange tasks."""

from types import MappingProxyType
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from catalog import Floats
from predictors.errors import NotFittedError
from predictors.quality.protocol import Matrix

from .recognition import BoundTrust, TaskRecognition

__all__ = ["STRANGER", "BoundFamiliarity", "Familiarity", "Unquestioned", "spread_over_domains"]

STRANGER = 0.4  # familiarity below which nothing learned is acted on (docs/quality-studies.md)


class Familiarity:
    """Distance to the nearest of a few hundred landmarks, times whether the task is recognised.

    Below the `inside` quantile of training distances a query is as near as can be (1); from there it falls by half
    with every `halving` times the interquartile range. Less than `trusted` of the known prompts look so strange that
    trust in them falls (`recognition`, docs/quality-studies.md). Someone who has seen one task only cannot
    tell tasks apart: then distance alone decides.
    """

    learned_parts: ClassVar = MappingProxyType({"recognition_": TaskRecognition})

    def __init__(
        self, *, n_landmarks: int = 256, inside: float = 0.9, halving: float = 0.75, trusted: float = 0.1, seed: int = 0
    ) -> None:
        self.n_landmarks = n_landmarks
        self.inside = inside
        self.halving = halving
        self.trusted = trusted
        self.seed = seed
        self._half_squares: Floats | None = None  # of the landmarks, (n_landmarks,)

    def fit(self, features: Matrix, domain: npt.NDArray[np.str_]) -> Self:
        """Choose landmarks among (n_prompts, dim) features, evenly over the domains (n_prompts,)."""
        rng = np.random.default_rng(self.seed)
        chosen = spread_over_domains(domain, min(self.n_landmarks, len(features)), rng)
        held_out = np.setdiff1d(np.arange(len(features)), chosen)
        self.landmarks_: Matrix = features[chosen]  # (n_landmarks, dim)
        self._half_squares = None
        judged = features[held_out] if len(held_out) else features
        distance = self._distance(judged)
        low, middle, high = np.quantile(distance, [0.25, self.inside, 0.75])
        self.edge_ = float(middle)
        self.width_ = float(max(high - low, 1e-6) * self.halving)
        several = len(np.unique(domain)) > 1
        self.recognition_ = (
            TaskRecognition(trusted=self.trusted, seed=self.seed).fit(features, domain) if several else None
        )
        return self

    def predict(self, features: Matrix) -> Floats:
        """Familiarity of each query in [0, 1], shape (n_queries,)."""
        near = self._nearness(features)
        return near if self.recognition_ is None else near * self.recognition_.trust(features)

    def doubt(self, features: Matrix) -> Floats:
        """Whether there is reason to act on what was learned, (n_queries,): 0 where a prompt looks typical, up to 1.

        It rises as soon as a prompt is recognised less surely than half of the known ones, earlier than familiarity
        falls, and is whole where familiarity is below `STRANGER`. What was fitted has it, what was restored has not.
        """
        near = self._nearness(features)
        if self.recognition_ is None:
            return np.where(near < STRANGER, 1.0, 1.0 - near)
        probability = self.recognition_.probability(features)
        sure = near * np.minimum(probability / self.recognition_.typical_, 1.0)
        familiar = near * np.minimum(probability / self.recognition_.edge_, 1.0)
        return np.where(familiar < STRANGER, 1.0, 1.0 - sure)

    def restore(
        self, landmarks: Matrix, *, edge: float, width: float, recognition: TaskRecognition | None = None
    ) -> Self:
        """Take back what `fit` learned, as saved."""
        self.landmarks_, self.edge_, self.width_, self.recognition_ = landmarks, edge, width, recognition
        self._half_squares = None
        return self

    def _nearness(self, features: Matrix) -> Floats:
        if not hasattr(self, "landmarks_"):
            raise NotFittedError(self)
        near: Floats = np.exp2(-np.maximum(self._distance(features) - self.edge_, 0.0) / self.width_)
        return near

    def _distance(self, features: Matrix) -> Floats:
        if self._half_squares is None:
            self._half_squares = 0.5 * np.einsum("ld,ld->l", self.landmarks_, self.landmarks_)  # (n_landmarks,)
        nearness = features @ self.landmarks_.T - self._half_squares  # (n_queries, n_landmarks)
        squares = np.einsum("qd,qd->q", features, features) - 2.0 * nearness.max(axis=1)
        distance: Floats = np.sqrt(np.maximum(squares, 0.0))
        return distance


class BoundFamiliarity:
    """`Familiarity.predict` from the queries' products with `directions`.

    The caller multiplies by the directions, along with whatever else it multiplies by, and adds the offset.
    """

    def __init__(self, fitted: Familiarity) -> None:
        self._trust = None if fitted.recognition_ is None else BoundTrust(fitted.recognition_)
        self._n_landmarks = len(fitted.landmarks_)
        half_squares = 0.5 * np.einsum("ld,ld->l", fitted.landmarks_, fitted.landmarks_)  # (n_landmarks,)
        directions, offset = [fitted.landmarks_.T], [-half_squares]
        if self._trust is not None:
            directions.append(self._trust.directions)
            offset.append(self._trust.offset)
        self.directions: Matrix = np.concatenate(directions, axis=1)  # (dim, n_products)
        self.offset: Floats = np.concatenate(offset)  # (n_products,)
        self._edge, self._width = fitted.edge_, fitted.width_

    def __call__(self, products: Matrix, *, squares: Floats) -> Floats:
        """Familiarity in [0, 1], (n_queries,), from products (n_queries, n_products) and squared lengths."""
        nearest = products[..., : self._n_landmarks].max(axis=-1)
        distance = np.sqrt(np.maximum(squares - 2.0 * nearest, 0.0))
        near: Floats = np.exp2(np.minimum(self._edge - distance, 0.0) / self._width)
        return near if self._trust is None else near * self._trust(products[..., self._n_landmarks :])


class Unquestioned(Familiarity):
    """Everything is familiar: for the members of an ensemble that does the doubting itself."""

    def fit(self, features: Matrix, domain: npt.NDArray[np.str_]) -> Self:
        """Nothing to learn."""
        del features, domain
        return self

    def predict(self, features: Matrix) -> Floats:
        """One for every query, shape (n_queries,)."""
        return np.ones(len(features))

    def doubt(self, features: Matrix) -> Floats:
        """None, shape (n_queries,)."""
        return np.zeros(len(features))


def spread_over_domains(domain: npt.NDArray[np.str_], n_chosen: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Indices of prompts drawn evenly over their domains, rare ones whole before common ones repeat; sorted."""
    order = rng.permutation(len(domain))
    turn = np.empty(len(domain), dtype=np.int64)  # the how-manieth of its domain a prompt is, in random order
    seen: dict[str, int] = {}
    for row in order:
        turn[row] = seen.get(str(domain[row]), 0)
        seen[str(domain[row])] = int(turn[row]) + 1
    chosen: npt.NDArray[np.int64] = order[np.argsort(turn[order], kind="stable")][:n_chosen]
    return np.sort(chosen)
