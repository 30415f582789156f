"""Fair comparison where not every model saw every prompt: how able a model, how easy a prompt, on the logit scale."""

import numpy as np
import numpy.typing as npt

from catalog import Floats
from predictors.quality.protocol import Matrix

__all__ = ["best_single", "filled", "model_means"]

_NEARLY_ALL = 0.95  # of the prompts
_ROUNDS = 40
_ENOUGH = 1e-5  # logits: no step of any model is larger any more
_EASE_PRECISION = 0.03  # 1 / variance of prompts' ease in squared logits, a priori
_STRENGTH_PRECISION = 0.1  # keeps the strength of a model finite that was always right
_LARGEST_STEP = 2.0  # logits, of one Newton step


def model_means(score: Matrix) -> Floats:
    """Mean score of each model over all prompts, (n_models,), corrected for which prompts it was tried on.

    A model that was only asked the easy questions does not look good for it, nor one that was only asked the hard
    ones bad: what it did not answer counts as `filled` says. A model without any outcome gets the mean of the others.
    """
    means: Floats = filled(score).mean(axis=0)
    return means


def best_single(score: Matrix) -> int:
    """Column of the model with the best mean, among those that answered nearly all prompts if there are any.

    A model is not called the best for what it is only expected to do on prompts that it never saw.
    """
    covers = np.isfinite(score).mean(axis=0) >= _NEARLY_ALL
    return int(np.where(covers if covers.any() else True, model_means(score), -np.inf).argmax())


def filled(score: Matrix) -> Matrix:
    """The matrix with each missing cell replaced by what its model's strength and its prompt's ease let expect.

    P(right) = sigmoid(ease_i + strength_m), so that no expectation leaves [0, 1] however unlike the prompts are that
    two models were tried on: sums of means and eases do, and then name the wrong model best.

    Source: Rasch, Probabilistic Models for Some Intelligence and Attainment Tests, 1960; maximum a posteriori.
    """
    seen = np.isfinite(score)
    if seen.all():
        return score
    strength, ease = _rasch(np.where(seen, score, 0.0), seen)
    tried = seen.any(axis=0)
    expected = _sigmoid(ease[:, None] + strength)
    if tried.any() and not tried.all():
        expected[:, ~tried] = expected[:, tried].mean(axis=1, keepdims=True)
    return np.where(seen, score, expected)


def _rasch(known: Matrix, seen: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Strength of each model and ease of each prompt, by Newton steps in turn."""
    share = known.sum() / max(int(seen.sum()), 1)
    level = float(np.log((share + 0.01) / (1.01 - share)))
    strength, ease = np.full(seen.shape[1], level), np.zeros(len(seen))
    for _ in range(_ROUNDS):
        ease += _step(known, seen, ease[:, None] + strength, ease, axis=1, precision=_EASE_PRECISION)
        step = _step(known, seen, ease[:, None] + strength, strength - level, axis=0, precision=_STRENGTH_PRECISION)
        strength += step
        if np.abs(step).max() < _ENOUGH:
            break
    return strength, ease


def _step(
    known: Matrix, seen: npt.NDArray[np.bool_], logit: Matrix, offset: Floats, *, axis: int, precision: float
) -> Floats:
    expected = np.where(seen, _sigmoid(logit), 0.0)
    gradient = (known - expected).sum(axis=axis) - precision * offset
    curvature = (expected * (1.0 - expected)).sum(axis=axis) + precision
    step: Floats = np.clip(gradient / curvature, -_LARGEST_STEP, _LARGEST_STEP)
    return step


def _sigmoid(logit: Matrix) -> Matrix:
    return 1.0 / (1.0 + np.exp(-np.clip(logit, -40.0, 40.0)))
