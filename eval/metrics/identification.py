"""Did the router name the model that did best? Tryage's headline measure.

Source: Hari and Thomson, Tryage, arXiv 2308.11601 (known from its abstract; the treatment of ties is ours).
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from catalog import Floats

__all__ = ["Ties", "optimal_model_identification"]

Ties = Literal["lenient", "decisive", "strict"]


def optimal_model_identification(score: Floats, chosen: npt.NDArray[np.int_], *, ties: Ties = "lenient") -> float:
    """Share of prompts whose chosen model is the best one.

    Args:
        score: (n_prompts, n_models), NaN where a model was not tried.
        chosen: (n_prompts,) positions of the chosen models.
        ties: `lenient` counts any of the tied best as a hit; `decisive` too, but leaves prompts out on which all
            tried models tie, since no choice can miss there; `strict` leaves prompts out whose best is not unique.

    Returns:
        The share in [0, 1]; NaN where no prompt counts.
    """
    tried = np.where(np.isnan(score), -np.inf, score)  # (n_prompts, n_models)
    is_best = tried == tried.max(axis=1, keepdims=True)  # (n_prompts, n_models)
    hit = is_best[np.arange(len(chosen)), chosen]  # (n_prompts,)
    n_best, n_tried = is_best.sum(axis=1), (~np.isnan(score)).sum(axis=1)  # (n_prompts,) each
    counts = {"lenient": n_best > 0, "decisive": n_best < n_tried, "strict": n_best == 1}[ties]  # (n_prompts,)
    return float(hit[counts].mean()) if counts.any() else float("nan")
