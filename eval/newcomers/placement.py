"""New models placed by the factorization of the others: their vectors from the profile, and how sure that is."""

from dataclasses import dataclass, replace

import numpy as np

from catalog import Floats
from eval.table import Bools
from predictors.quality.factorization import LogisticFactorization, sigmoid
from predictors.quality.protocol import Matrix

from .benchmark import Benchmark

__all__ = ["Placement", "place"]

_ITERATIONS = 60
_LEAST_SD = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """What the known models say of the new ones."""

    prompt_side: Matrix  # (n_prompts, 1 + n_traits) of every prompt of the benchmark
    vectors: Matrix  # (n_new, 1 + n_traits)
    strength_sd: Floats  # (n_new,) error of each strength, logits
    trait_sd: float  # spread of known models' traits around what their profiles say

    def expected(self, rows: Bools) -> Matrix:
        """Expected scores on these prompts, (n_rows, n_new)."""
        side = self.prompt_side[rows]
        expected: Matrix = sigmoid(side[:, :1] + self.vectors[:, 0] + side[:, 1:] @ self.vectors[:, 1:].T)
        return expected


def place(benchmark: Benchmark, *, known: Bools, new: Bools, learn: Bools, seed: int = 0) -> Placement:
    """Fit the known models' outcomes on some prompts, and place the new models by their profiles.

    Args:
        benchmark: outcomes and profiles.
        known: (n_models,) whose outcomes are learned from.
        new: (n_models,) who is placed.
        learn: (n_prompts,) the prompts that are learned from.
        seed: of the factorization's start.
    """
    training = benchmark.training
    profile = np.asarray(training.profile_features)
    names = tuple(model for model, kept in zip(training.models, known, strict=True) if kept)
    seen = training.only(learn)
    seen = replace(seen, score=seen.score[:, known], models=names, profile_features=profile[known])
    tried = np.flatnonzero(np.isfinite(seen.score).any(axis=1))
    fitted = LogisticFactorization(n_traits=min(6, len(names)), max_iterations=_ITERATIONS, seed=seed)
    fitted.fit(seen.only(tried))
    rows = np.concatenate([np.ones((len(profile), 1)), profile], axis=1)  # (n_models, 1 + n_profile)
    return Placement(
        prompt_side=fitted.basis.transform(training.features) @ fitted.weights_,
        vectors=rows[new] @ fitted.profile_map_,
        strength_sd=_strength_sd(rows[known], fitted.vectors_[:, 0], rows[new]),
        trait_sd=max(float(np.sqrt(np.mean(fitted.deviation_[:, 1:] ** 2))), _LEAST_SD),
    )


def _strength_sd(known: Matrix, strength: Floats, new: Matrix) -> Floats:
    """Error of a strength told by the profile: known models left out in turn, wider for a new one unlike them."""
    inverse = np.linalg.inv(known.T @ known + np.eye(known.shape[1]))
    leverage = np.einsum("mi,ij,mj->m", known, inverse, known)
    missed = (strength - known @ (inverse @ (known.T @ strength))) / np.maximum(1.0 - leverage, 0.2)
    spread = float(np.sqrt(np.mean(missed**2)))
    sd: Floats = spread * np.sqrt(1.0 + np.einsum("mi,ij,mj->m", new, inverse, new))
    return sd
