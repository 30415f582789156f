"""What a profile's word is worth: learned by hiding models and placing them by what the others' profiles say.

First all models of one maker at a time are hidden, then the younger half of the dated ones. What a place is off by is
measured where it matters, on prompts that nothing was learned from: the shift of a model's logits that makes its
expected mean score the one that was observed. So an error of its traits counts as well as one of its strength.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catalog import Floats

from .calibration import PlattScaling
from .factorization import sigmoid
from .protocol import Matrix

__all__ = ["Placing", "conformal_sd", "learn_placing", "mean_shift"]

_LEVEL = 0.9  # of intervals
_Z = 1.6448536269514722  # standard deviations of a normal variable that hold nine in ten
_FEWEST = 4  # models that can say anything of another
_NEWTON_STEPS = 30
_MOST_LOGITS = 6.0
_DAYS_PER_YEAR = 365.25

_Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """How new models are placed, and how wrong that may be."""

    trust: Floats  # (k,), in [0, 1]: how much of what profiles say of strength and traits is believed
    scaling: PlattScaling  # of a new model's logits
    sd: float  # logits, of a model in the middle of the known ones
    sd_per_year: float  # logits more for each year that a model is newer than all known ones

    @classmethod
    def untested(cls, k: int) -> "Placing":
        """Of too few models to hide any: profiles are believed, within a logit."""
        return cls(trust=np.ones(k), scaling=PlattScaling(), sd=1.0, sd_per_year=0.0)

    def error(self, leverage: Floats, years_ahead: Floats) -> Floats:
        """Standard deviation of each model's logits, (n_models,)."""
        sd: Floats = np.hypot(self.sd * np.sqrt(1.0 + leverage), self.sd_per_year * np.maximum(years_ahead, 0.0))
        return sd


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    """Models that were hidden, and where the others' profiles put them."""

    models: npt.NDArray[np.int64]  # (n_hidden,)
    centre: Matrix  # (n_hidden, k), the mean of those that were not hidden
    said: Matrix  # (n_hidden, k), beyond the centre
    leverage: Floats  # (n_hidden,)


def learn_placing(
    *, vectors: Matrix, rows: Matrix, side: Matrix, score: Matrix, owner: Sequence[str], day: Floats
) -> Placing:
    """Hide models, place them, look.

    Args:
        vectors: (n_models, k) strength and traits as their outcomes say.
        rows: (n_models, 1 + n_profile), a one and the standardised profile.
        side: (n_prompts, k) ease and tastes of prompts that nothing was learned from.
        score: (n_prompts, n_models) on these prompts, NaN where untried.
        owner: the maker of each model.
        day: (n_models,) of release, NaN where unknown.
    """
    judged: _Bools = np.asarray(np.isfinite(score).any(axis=0))
    makers = [np.array([name == maker for name in owner]) for maker in dict.fromkeys(owner)]
    placed = _placed(vectors, rows, [hidden for hidden in makers if (judged & ~hidden).sum() >= _FEWEST], judged)
    if len(placed.models) < _FEWEST:
        return Placing.untested(vectors.shape[1])
    trust = _trust(placed, vectors)
    logits = _logits(placed, trust, side)
    tried = np.isfinite(score[:, placed.models])
    scaling = PlattScaling.fit(logits[tried], score[:, placed.models][tried])
    sd = conformal_sd(_misses(placed, logits, score, scaling))
    return Placing(
        trust=trust,
        scaling=scaling,
        sd=sd,
        sd_per_year=_drift(vectors, rows, side, score, day, trust=trust, scaling=scaling, sd=sd, judged=judged),
    )


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


def _placed(vectors: Matrix, rows: Matrix, groups: Sequence[_Bools], judged: _Bools) -> _Placed:
    """Every group placed by a ridge regression of the vectors of all others on their profiles."""
    penalty = np.eye(rows.shape[1])
    penalty[0, 0] = 0.0  # the overall level is free
    parts = []
    for hidden in groups:
        known, new = rows[judged & ~hidden], np.flatnonzero(judged & hidden)
        inverse = np.linalg.inv(known.T @ known + penalty)
        centre = vectors[judged & ~hidden].mean(axis=0)
        said = rows[new] @ (inverse @ (known.T @ vectors[judged & ~hidden])) - centre
        parts.append(
            (new, np.tile(centre, (len(new), 1)), said, np.einsum("mi,ij,mj->m", rows[new], inverse, rows[new]))
        )
    if not parts:
        k = vectors.shape[1]
        return _Placed(
            models=np.zeros(0, np.int64), centre=np.zeros((0, k)), said=np.zeros((0, k)), leverage=np.zeros(0)
        )
    models, centre, said, leverage = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _Placed(models=models, centre=centre, said=said, leverage=leverage)


def _trust(placed: _Placed, vectors: Matrix) -> Floats:
    """Least squares of what was true on what profiles said, column by column, within [0, 1]."""
    true = vectors[placed.models] - placed.centre
    share = (placed.said * true).sum(axis=0) / np.maximum((placed.said**2).sum(axis=0), 1e-9)
    trust: Floats = np.clip(share, 0.0, 1.0)
    return trust


def _logits(placed: _Placed, trust: Floats, side: Matrix) -> Matrix:
    vectors = placed.centre + trust * placed.said
    logits: Matrix = side[:, :1] + vectors[:, 0] + side[:, 1:] @ vectors[:, 1:].T
    return logits


def _misses(placed: _Placed, logits: Matrix, score: Matrix, scaling: PlattScaling) -> Floats:
    """The shift that each hidden model's logits lacked, as if it were in the middle of the known ones, (n_hidden,)."""
    scaled = scaling.slope * logits + scaling.shift
    tried = np.isfinite(score)
    shifts = [
        mean_shift(scaled[tried[:, model], at], score[tried[:, model], model]) for at, model in enumerate(placed.models)
    ]
    misses: Floats = np.array(shifts) / np.sqrt(1.0 + placed.leverage)
    return misses


def _drift(
    vectors: Matrix,
    rows: Matrix,
    side: Matrix,
    score: Matrix,
    day: Floats,
    *,
    trust: Floats,
    scaling: PlattScaling,
    sd: float,
    judged: _Bools,
) -> float:
    """How much more the younger half is off than models of the others' time, logits per year."""
    dated = judged & np.isfinite(day)
    if dated.sum() < 2 * _FEWEST:
        return 0.0
    middle = float(np.median(day[dated]))
    younger = dated & (day > middle)
    placed = _placed(vectors, rows, [~(dated & ~younger)], judged)
    young = younger[placed.models]
    if not young.any():
        return 0.0
    misses = _misses(placed, _logits(placed, trust, side), score, scaling)[young]
    years = (day[placed.models][young] - middle) / _DAYS_PER_YEAR
    return float(np.sqrt(max(conformal_sd(misses) ** 2 - sd**2, 0.0)) / max(float(years.mean()), 0.1))
