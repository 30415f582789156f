"""What a profile's word is worth: learned by hiding models and placing them by what the others' profiles say.

First all models of one maker at a time are hidden, then the younger half of the dated ones. What a place is off by is
measured where it matters, on prompts that nothing was learned from: the shift of a model's logits that makes its
expected mean score the one that was observed. So an error of its traits counts as well as one of its strength.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from catalog import Floats
from predictors.quality.protocol import Matrix

from .cold_start import map_from_profiles
from .factorization import sigmoid

__all__ = ["Placing", "conformal_sd", "learn_placing", "mean_shift"]

_LEVEL = 0.9  # of intervals
_Z = 1.6448536269514722  # standard deviations of a normal variable that hold nine in ten
_FEWEST = 4  # models that can say anything of another
_NEWTON_STEPS = 30
_MOST_LOGITS = 6.0
_SHORTEST_YEARS = 0.1
_PRIOR = 10.0  # answers' worth of trust in "as it is"
# Answers to one question are not independent, so few hidden questions may seem to say that the order of questions is
# worth nothing. A tenth of it costs no likelihood to speak of, and a model whose questions all tie cannot be routed.
_LEAST_OF_PROMPT = 0.1

_Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """How the logits of a new model follow from its place, and how wrong that may be."""

    of_prompt: float = 1.0  # times the prompt's part: its ease, and its taste for the model's traits
    of_strength: float = 1.0  # times the model's strength
    shift: float = 0.0
    sd: float = 1.0  # logits, of a model in the middle of the known ones
    sd_per_year: float = 0.0  # logits more for each year that a model is newer than all known ones

    def error(self, leverage: Floats, years_ahead: Floats) -> Floats:
        """Standard deviation of each model's logits, (n_models,)."""
        sd: Floats = np.hypot(self.sd * np.sqrt(1.0 + leverage), self.sd_per_year * np.maximum(years_ahead, 0.0))
        return sd

    def logits(self, side: Matrix, vectors: Matrix) -> Matrix:
        """(n_prompts, k) and (n_models, k) to (n_prompts, n_models)."""
        logits: Matrix = self.of_prompt * _prompt_part(side, vectors) + self.of_strength * vectors[:, 0] + self.shift
        return logits


def learn_placing(
    *, vectors: Matrix, rows: Matrix, side: Matrix, score: Matrix, owner: Sequence[str], years: Floats
) -> Placing:
    """Hide models, place them, look; too few to hide any are believed within a logit.

    Args:
        vectors: (n_models, k) strength and traits as their outcomes say.
        rows: (n_models, 1 + n_profile), a one and the standardised profile.
        side: (n_prompts, k) ease and tastes of prompts that nothing was learned from.
        score: (n_prompts, n_models) on these prompts, NaN where untried.
        owner: the maker of each model.
        years: (n_models,) of release, since whenever, NaN where unknown.
    """
    judged: _Bools = np.asarray(np.isfinite(score).any(axis=0))
    makers = [np.array([name == maker for name in owner]) for maker in dict.fromkeys(owner)]
    makers = [hidden for hidden in makers if (judged & hidden).any() and (judged & ~hidden).sum() >= _FEWEST]
    if judged.sum() < 2 * _FEWEST or not makers:
        return Placing()
    hidden = _placed(vectors, rows, makers, judged)
    placing = _scaled(side, hidden.vectors, score[:, hidden.models])
    placing = replace(placing, sd=conformal_sd(_misses(placing, hidden, side, score)))
    dated = judged & np.isfinite(years)
    if dated.sum() < 2 * _FEWEST:
        return placing
    middle = float(np.median(years[dated]))
    if not (dated & (years > middle)).any():
        return placing
    young = _placed(vectors, rows, [dated & (years > middle)], dated)
    beyond = conformal_sd(_misses(placing, young, side, score)) ** 2 - placing.sd**2
    ahead = float((years[young.models] - middle).mean())
    return replace(placing, sd_per_year=float(np.sqrt(max(beyond, 0.0))) / max(ahead, _SHORTEST_YEARS))


def mean_shift(logit: Floats, score: Floats) -> float:
    """What has to be added to the logits (n,) so that the mean expected score is the observed one, within 6."""
    target, shift = float(np.clip(score.mean(), 0.5 / len(score), 1.0 - 0.5 / len(score))), 0.0
    for _ in range(_NEWTON_STEPS):
        expected = sigmoid(logit + shift)
        step = (target - float(expected.mean())) / max(float((expected * (1.0 - expected)).mean()), 1e-3)
        shift = float(np.clip(shift + np.clip(step, -1.0, 1.0), -_MOST_LOGITS, _MOST_LOGITS))
    return shift


def conformal_sd(misses: Floats) -> float:
    """The standard deviation whose normal interval holds the next miss in nine cases of ten, by split conformal rank.

    Source: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World, 2005.
    """
    rank = min(int(np.ceil((len(misses) + 1) * _LEVEL)), len(misses))
    return float(np.sort(np.abs(misses))[rank - 1]) / _Z


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """Models that were hidden, and where the others' profiles put them."""

    models: npt.NDArray[np.int64]  # (n_hidden,)
    vectors: Matrix  # (n_hidden, k)
    leverage: Floats  # (n_hidden,)


def _placed(vectors: Matrix, rows: Matrix, groups: Sequence[_Bools], judged: _Bools) -> _Placed:
    """Every group placed by a ridge regression of the vectors of all others on their profiles."""
    penalty = np.eye(rows.shape[1])
    penalty[0, 0] = 0.0  # the overall level is free
    parts = []
    for hidden in groups:
        known, new = judged & ~hidden, np.flatnonzero(judged & hidden)
        inverse = np.linalg.inv(rows[known].T @ rows[known] + penalty)
        said = rows[new] @ map_from_profiles(rows[known], vectors[known])
        parts.append((new, said, np.einsum("mi,ij,mj->m", rows[new], inverse, rows[new])))
    models, said, leverage = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _Placed(models=models, vectors=said, leverage=leverage)


def _prompt_part(side: Matrix, vectors: Matrix) -> Matrix:
    part: Matrix = side[:, :1] + side[:, 1:] @ vectors[:, 1:].T
    return part


def _scaled(side: Matrix, vectors: Matrix, score: Matrix) -> Placing:
    """Logistic regression of the answers on the two parts of their logits, held to believing both as they are."""
    tried = np.isfinite(score)
    strength = np.broadcast_to(vectors[:, 0], score.shape)
    parts = np.stack([_prompt_part(side, vectors)[tried], strength[tried], np.ones(int(tried.sum()))], axis=1)
    told, believed = score[tried], np.array([1.0, 1.0, 0.0])
    found = believed.copy()
    for _ in range(_NEWTON_STEPS):
        expected = sigmoid(parts @ found)
        gradient = parts.T @ (expected - told) + _PRIOR * (found - believed)
        curvature = (parts * (expected * (1.0 - expected))[:, None]).T @ parts + _PRIOR * np.eye(3)
        found -= np.linalg.solve(curvature, gradient)
    of_prompt, of_strength, shift = found.tolist()
    return Placing(of_prompt=max(of_prompt, _LEAST_OF_PROMPT), of_strength=max(of_strength, 0.0), shift=shift)


def _misses(placing: Placing, placed: _Placed, side: Matrix, score: Matrix) -> Floats:
    """The shift that each hidden model's logits lacked, as if it were in the middle of the known ones, (n_hidden,)."""
    logits, tried = placing.logits(side, placed.vectors), np.isfinite(score)
    shifts = [
        mean_shift(logits[tried[:, model], at], score[tried[:, model], model]) for at, model in enumerate(placed.models)
    ]
    misses: Floats = np.array(shifts) / np.sqrt(1.0 + placed.leverage)
    return misses
