"""New models placed by the factorization of the others: their vectors from the profile, and how sure that is."""

from dataclasses import dataclass, replace

import numpy as np

from catalog import Floats
from eval.outcomes.table import Bools
from predictors.folds import group_folds
from predictors.quality.placement.cold_start import DATE, facts_of
from predictors.quality.placement.factorization import LogisticFactorization, sigmoid
from predictors.quality.placement.placing import learn_placing
from predictors.quality.protocol import Matrix, TrainingSet

from .benchmark import Benchmark

__all__ = ["Placement", "place"]

_ITERATIONS = 60
_JUDGING_FOLDS = 5  # one of them tells how wrong places are
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
    judged = learn & (group_folds(training.group, _JUDGING_FOLDS, seed=1) == 0)
    rows = np.concatenate([np.ones((len(profile), 1)), profile], axis=1)  # (n_models, 1 + n_profile)
    years = np.array([facts_of(one)[DATE] for one in benchmark.profiles])
    tried = _fitted(training, known=known, learn=learn & ~judged, seed=seed)
    placing = learn_placing(
        vectors=tried.vectors_,
        rows=rows[known],
        side=_prompt_side(tried, training)[judged],
        score=training.score[judged][:, known],
        owner=[one.owner for one, kept in zip(benchmark.profiles, known, strict=True) if kept],
        years=years[known],
    )
    # What places are worth is learned; the questions that told it are learned from too, as in what ships.
    fitted = _fitted(training, known=known, learn=learn, seed=seed)
    vectors = rows[new] @ fitted.profile_map_
    vectors[:, 0] = placing.of_strength * vectors[:, 0] + placing.shift
    ahead = np.nan_to_num(years[new] - np.fmax.reduce(years[known], initial=-np.inf))
    return Placement(
        prompt_side=placing.of_prompt * _prompt_side(fitted, training),
        vectors=vectors,
        strength_sd=placing.error(np.einsum("mi,ij,mj->m", rows[new], fitted.profile_inverse_, rows[new]), ahead),
        trait_sd=max(float(np.sqrt(np.mean(fitted.deviation_[:, 1:] ** 2))), _LEAST_SD),
    )


def _fitted(training: TrainingSet, *, known: Bools, learn: Bools, seed: int) -> LogisticFactorization:
    """The known models' outcomes on some prompts, factorized."""
    names = tuple(model for model, kept in zip(training.models, known, strict=True) if kept)
    profile = np.asarray(training.profile_features)[known]
    seen = training.only(learn)
    seen = replace(seen, score=seen.score[:, known], models=names, profile_features=profile)
    tried = np.flatnonzero(np.isfinite(seen.score).any(axis=1))
    fitted = LogisticFactorization(n_traits=min(6, len(names)), max_iterations=_ITERATIONS, seed=seed)
    return fitted.fit(seen.only(tried))


def _prompt_side(fitted: LogisticFactorization, training: TrainingSet) -> Matrix:
    side: Matrix = fitted.basis.transform(training.features) @ fitted.weights_  # (n_prompts, 1 + n_traits)
    return side
