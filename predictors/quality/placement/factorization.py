"""Prompts and models in one low-dimensional space, so that a model that was never tried has a place there too."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from catalog import Floats
from predictors.errors import NotFittedError
from predictors.quality.prompts.basis import PromptBasis
from predictors.quality.prompts.familiarity import Familiarity
from predictors.quality.protocol import Matrix, QualityEstimate, TrainingSet

from .cold_start import map_from_profiles

__all__ = ["LogisticFactorization", "sigmoid"]


def sigmoid(logit: Matrix) -> Matrix:
    """1 / (1 + exp(-logit)), without overflow."""
    return 1.0 / (1.0 + np.exp(-np.clip(logit, -40.0, 40.0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cells:
    """The observed cells of a score matrix, in compressed rows."""

    row: npt.NDArray[np.int64]  # (n_cells,)
    column: npt.NDArray[np.int64]  # (n_cells,)
    score: Floats  # (n_cells,)
    weight: Floats  # (n_cells,)
    shape: tuple[int, int]


class LogisticFactorization:
    """P(right) = sigmoid(ease(x) + strength_m + taste(x) . trait_m), all of the prompt's side linear in its basis.

    Item response theory with several latent dimensions: a model's (strength, traits) is a linear function of its
    profile features plus a deviation of its own, shrunk to 0. A model without outcomes gets the first part alone.
    Ridge penalties are on the scale of `PromptBasis`; they are strong because they had to be (docs/quality-studies.md).

    Source: the multidimensional 2PL of item response theory; the profile regression follows latent-regression IRT.
    """

    def __init__(
        self,
        *,
        n_traits: int = 6,
        ease_penalty: float = 100.0,
        taste_penalty: float = 1000.0,
        trait_penalty: float = 10.0,
        profile_penalty: float = 1.0,
        max_iterations: int = 150,
        seed: int = 0,
        basis: PromptBasis | None = None,
        familiarity: Familiarity | None = None,
    ) -> None:
        self.n_traits = n_traits
        self.ease_penalty = ease_penalty
        self.taste_penalty = taste_penalty
        self.trait_penalty = trait_penalty
        self.profile_penalty = profile_penalty
        self.max_iterations = max_iterations
        self.seed = seed
        self.basis = basis or PromptBasis()
        self.familiarity = familiarity or Familiarity(seed=seed)

    def fit(self, training: TrainingSet) -> Self:
        """Maximum a posteriori by L-BFGS over the observed cells."""
        self.basis.fit(training.features, training.domain, n_surface=training.n_surface)
        self.familiarity.fit(training.features, training.domain)
        coordinates = self.basis.transform(training.features)  # (n_prompts, basis dim)
        profile = training.profile_features
        if profile is None:
            profile = np.zeros((len(training.models), 0))
        problem = _Problem(self, coordinates, profile, _cells(training.score))
        solved = problem.solve(np.random.default_rng(self.seed))
        self.weights_: Matrix = solved.weights  # (basis dim, 1 + n_traits): ease, then tastes
        rows = problem.with_one
        self.vectors_: Matrix = rows @ solved.profile_map + solved.deviation  # (n_models, 1 + n_traits)
        # (1 + n_profile, 1 + n_traits): strength, then traits; more cautious than the one that the fit was helped by
        self.profile_map_: Matrix = map_from_profiles(rows, self.vectors_)
        self.deviation_: Matrix = self.vectors_ - rows @ self.profile_map_  # (n_models, 1 + n_traits)
        self.profile_inverse_: Matrix = np.linalg.inv(rows.T @ rows + _level_free(rows.shape[1]))
        self.n_outcomes_: Floats = np.isfinite(training.score).sum(axis=0).astype(np.float64)  # (n_models,)
        self.global_mean_: Floats = self.mean_over(coordinates, self.vectors_)  # (n_models,)
        return self

    def predict(self, features: Matrix) -> QualityEstimate:
        """Expected scores of the training set's models; far from the training data, their global means."""
        if not hasattr(self, "vectors_"):
            raise NotFittedError(self)
        familiarity = self.familiarity.predict(features)  # (n_queries,)
        near = sigmoid(self.logits(self.basis.transform(features), self.vectors_))  # (n_queries, n_models)
        share = familiarity[:, None]
        mean = share * near + (1.0 - share) * self.global_mean_
        doubt = near * (1.0 - near) * np.sqrt(1.0 / (1.0 + self.n_outcomes_) + 0.04)
        se = np.sqrt(doubt**2 + ((1.0 - share) * 0.25) ** 2)
        return QualityEstimate(mean=mean, se=se, familiarity=familiarity)

    def logits(self, coordinates: Matrix, vectors: Matrix) -> Matrix:
        """(n_queries, basis dim) and (n_models, 1 + n_traits) to logits (n_queries, n_models)."""
        prompt_side = coordinates @ self.weights_  # (n_queries, 1 + n_traits)
        return prompt_side[:, :1] + vectors[:, 0] + prompt_side[:, 1:] @ vectors[:, 1:].T

    def mean_over(self, coordinates: Matrix, vectors: Matrix) -> Floats:
        """Mean score of each model over these prompts, shape (n_models,)."""
        mean: Floats = sigmoid(self.logits(coordinates, vectors)).mean(axis=0)
        return mean


def _level_free(n: int) -> Matrix:
    """A unit penalty on everything but the overall level, (n, n)."""
    penalty = np.eye(n)
    penalty[0, 0] = 0.0
    return penalty


def _cells(score: Matrix) -> _Cells:
    row, column = np.nonzero(np.isfinite(score))
    return _Cells(
        row=row,
        column=column,
        score=score[row, column],
        weight=np.ones(len(row)),
        shape=(score.shape[0], score.shape[1]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Solution:
    weights: Matrix
    profile_map: Matrix
    deviation: Matrix


class _Problem:
    """The penalised negative log-likelihood and its gradient."""

    def __init__(self, model: LogisticFactorization, coordinates: Matrix, profile: Matrix, cells: _Cells) -> None:
        from scipy.sparse import csr_array  # noqa: PLC0415  # heavy, and needed only to fit

        self.model = model
        self.coordinates = coordinates
        self.cells = cells
        self.with_one = np.concatenate([np.ones((len(profile), 1)), profile], axis=1)  # (n_models, 1 + n_profile)
        self._csr = csr_array
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(cells.row, minlength=cells.shape[0]))])
        k = 1 + model.n_traits
        self._shapes = ((coordinates.shape[1], k), (self.with_one.shape[1], k), (cells.shape[1], k))
        self._prompt_penalty = np.array([model.ease_penalty] + [model.taste_penalty] * model.n_traits)  # (k,)
        # strength may deviate more freely than traits: a model's mean is what its outcomes tell best
        self._model_penalty = np.array([1.0] + [model.trait_penalty] * model.n_traits)  # (k,)
        self._map_penalty = np.full(self._shapes[1], model.profile_penalty)
        self._map_penalty[0, 0] = 0.0  # the overall level is free

    def solve(self, rng: np.random.Generator) -> _Solution:
        from scipy.optimize import minimize  # noqa: PLC0415

        found = minimize(
            self.loss, self._start(rng), jac=True, method="L-BFGS-B",
            options={"maxiter": self.model.max_iterations, "maxcor": 15},
        )  # fmt: skip
        weights, profile_map, deviation = self._unpack(found.x)
        return _Solution(weights=weights, profile_map=profile_map, deviation=deviation)

    def loss(self, packed: Floats) -> tuple[float, Floats]:
        weights, profile_map, deviation = self._unpack(packed)
        cells = self.cells
        vectors = self.with_one @ profile_map + deviation  # (n_models, k)
        prompt_side = self.coordinates @ weights  # (n_prompts, k)
        traits = vectors.copy()
        traits[:, 0] = 1.0  # the prompt's first number is its ease, the same for every model
        logit = np.einsum("ck,ck->c", prompt_side[cells.row], traits[cells.column]) + vectors[cells.column, 0]
        np.clip(logit, -40.0, 40.0, out=logit)
        value = float(cells.weight @ (np.logaddexp(0.0, logit) - cells.score * logit))
        slope = cells.weight * (1.0 / (1.0 + np.exp(-logit)) - cells.score)  # (n_cells,)
        sparse = self._csr((slope, cells.column, self._starts), shape=cells.shape)
        to_prompts = sparse @ traits  # (n_prompts, k)
        to_models = sparse.T @ prompt_side  # (n_models, k)
        to_models[:, 0] = sparse.sum(axis=0)
        gradient = (
            self.coordinates.T @ to_prompts + self._prompt_penalty * weights,
            self.with_one.T @ to_models + self._map_penalty * profile_map,
            to_models + self._model_penalty * deviation,
        )
        value += 0.5 * float(np.sum(self._prompt_penalty * weights**2))
        value += 0.5 * float(np.sum(self._map_penalty * profile_map**2))
        value += 0.5 * float(np.sum(self._model_penalty * deviation**2))
        return value, np.concatenate([g.ravel() for g in gradient])

    def _start(self, rng: np.random.Generator) -> Floats:
        weights, profile_map, deviation = (np.zeros(shape) for shape in self._shapes)
        weights[:, 1:] = rng.normal(scale=0.01, size=weights[:, 1:].shape)
        deviation[:, 1:] = rng.normal(scale=0.5, size=deviation[:, 1:].shape)
        return np.concatenate([weights.ravel(), profile_map.ravel(), deviation.ravel()])

    def _unpack(self, packed: Floats) -> tuple[Matrix, Matrix, Matrix]:
        ends = np.cumsum([rows * k for rows, k in self._shapes])
        first, second, third = np.split(packed, ends[:-1])
        return first.reshape(self._shapes[0]), second.reshape(self._shapes[1]), third.reshape(self._shapes[2])
