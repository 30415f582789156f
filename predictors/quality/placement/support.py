"""How far what a model did is believed: whole on the kinds of prompt it was tried on, elsewhere as its profile says.

A model that was tried on sums alone has a taste for sums, and what it would do with code follows from a straight line
through nothing. So away from what it was tried on, a model is where its profile places one that nobody tried, better or
worse by what it was better or worse than that place where it was tried. Hiding whole tables of a model from training
chose both numbers below (docs/quality-studies.md).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catalog import Floats
from predictors.quality.protocol import Matrix

from .placing import Placing

__all__ = ["Places", "coverage", "usual_gap"]

_HALF = 20.0  # prompts of a topic, tried, at which a model's own ways on it and its profile's are believed alike
_HALF_TASKS = 4.0  # tasks at which half of the usual gap is believed on others


def coverage(topics: Matrix, tried: npt.NDArray[np.bool_]) -> Matrix:
    """How well each model is known on each topic, in [0, 1], (n_topics, n_models).

    Args:
        topics: (n_prompts, n_topics) probabilities.
        tried: (n_prompts, n_models) which outcomes there are.
    """
    n_tried = topics.T @ tried  # (n_topics, n_models)
    known: Matrix = n_tried / (n_tried + _HALF)
    return known


def usual_gap(gap: Matrix, tried: npt.NDArray[np.bool_], task: npt.NDArray[np.str_]) -> Floats:
    """How much better than its place each model is on a task that it was not tried on, logits, (n_models,).

    The mean over the tasks that it was tried on, shrunk to 0 as a random effect of so many tasks is.

    Args:
        gap: (n_prompts, n_models) logits as the outcomes say, less those of the place.
        tried: (n_prompts, n_models) which outcomes there are.
        task: (n_prompts,) of each prompt.
    """
    names, where = np.unique(task, return_inverse=True)
    of_task = np.zeros((len(task), len(names)))  # (n_prompts, n_tasks)
    of_task[np.arange(len(task)), where] = 1.0
    n_tried = of_task.T @ tried  # (n_tasks, n_models)
    mean = of_task.T @ np.where(tried, gap, 0.0) / np.maximum(n_tried, 1.0)
    usual: Floats = mean.sum(axis=0) / ((n_tried > 0).sum(axis=0) + _HALF_TASKS)
    return usual


@dataclass(frozen=True, slots=True)
class Places:
    """Models where nothing is known of their ways, and how they differ from that where they were tried.

    The logits are `side @ on_side + strength + support * (side @ on_side_own + strength_own)`.
    """

    on_side: Matrix  # (k, n_models)
    strength: Floats  # (n_models,)
    on_side_own: Matrix  # (k, n_models), 0 for those without outcomes
    strength_own: Floats  # (n_models,), likewise

    @classmethod
    def of(
        cls, own: Matrix, by_profile: Matrix, placing: Placing, *, tried: npt.NDArray[np.bool_], gap: Floats
    ) -> "Places":
        """From vectors, (n_models, k).

        Args:
            own: strength and traits as the outcomes say.
            by_profile: as the profile says.
            placing: how the logits of a model without outcomes follow from its profile's vector.
            tried: (n_models,) False for those without outcomes.
            gap: (n_models,) how much better than its place each of the others is where it was not tried.
        """
        ease = np.ones((1, len(own)))
        on_side = placing.of_prompt * np.concatenate([ease, by_profile[:, 1:].T])
        strength = placing.of_strength * by_profile[:, 0] + placing.shift + np.where(tried, gap, 0.0)
        return cls(
            on_side=on_side,
            strength=strength,
            on_side_own=np.where(tried, np.concatenate([ease, own[:, 1:].T]) - on_side, 0.0),
            strength_own=np.where(tried, own[:, 0] - strength, 0.0),
        )

    def logits(self, side: Matrix, support: Matrix | float = 0.0) -> Matrix:
        """(n_prompts, k) and (n_prompts, n_models) to (n_prompts, n_models)."""
        return side @ self.on_side + self.strength + support * self.own_ways(side)

    def own_ways(self, side: Matrix) -> Matrix:
        """What full support adds to the logits, (n_prompts, n_models)."""
        return side @ self.on_side_own + self.strength_own
