"""Fair comparison where not every model saw every prompt: additive effects of prompts and models."""

import numpy as np

from catalog import Floats

from .protocol import Matrix

__all__ = ["filled", "model_means"]

_ROUNDS = 60
_PROMPT_PRIOR = 0.1  # outcomes' worth of doubt in one prompt's ease


def model_means(score: Matrix) -> Floats:
    """Mean score of each model over all prompts, (n_models,), corrected for which prompts it was tried on.

    A model that was only asked the easy questions does not look good for it: the ease of a prompt and the mean of a
    model are fitted in turn (two-way additive model). A model without any outcome gets the mean of the others.
    """
    means, ease = _two_way(score)
    return means + float(ease.mean())


def filled(score: Matrix) -> Matrix:
    """The matrix with each missing cell replaced by its model's mean plus its prompt's ease, within [0, 1]."""
    seen = np.isfinite(score)
    if seen.all():
        return score
    means, ease = _two_way(score)
    return np.where(seen, score, np.clip(means + ease[:, None], 0.0, 1.0))


def _two_way(score: Matrix) -> tuple[Floats, Floats]:
    seen = np.isfinite(score)
    known = np.where(seen, score, 0.0)
    per_prompt = seen.sum(axis=1)  # (n_prompts,)
    per_model = seen.sum(axis=0)  # (n_models,)
    ease = np.zeros(len(score))
    overall = float(known.sum() / max(int(seen.sum()), 1))
    means = np.where(per_model > 0, known.sum(axis=0) / np.maximum(per_model, 1), overall)
    if seen.all():
        return means, ease
    for _ in range(_ROUNDS):
        ease = np.where(seen, known - means, 0.0).sum(axis=1) / (per_prompt + _PROMPT_PRIOR)
        fresh = np.where(seen, known - ease[:, None], 0.0).sum(axis=0) / np.maximum(per_model, 1)
        means = np.where(per_model > 0, fresh, means)
    return means, ease
