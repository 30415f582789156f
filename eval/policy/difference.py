"""What a change of policy changes: which decisions, at what price, and which right answers it loses."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catalog import Floats
from catalog.capability.compatibility import Flips, per_task
from eval.errors import InvalidReplayError
from eval.intervals import GroupBootstrap, Interval

__all__ = ["REFUSED", "Change", "Move", "PolicyDifference", "Routed", "difference"]

REFUSED = "(refused)"  # stands for the model where no candidate satisfies the policy's constraints


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """What one policy did with a corpus; arrays of shape (n_prompts,), NaN where nothing is known."""

    chosen: tuple[str, ...]  # catalog ids, or `REFUSED`
    predicted_quality: Floats
    predicted_cost_usd: Floats
    score: Floats  # of the chosen model, where the corpus tells it; 0 where the request was refused
    cost_usd: Floats  # of the chosen model, where the corpus tells it; 0 where the request was refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A mean under both policies, over the prompts where both are known, and the interval of new minus old."""

    old: float
    new: float
    difference: Interval  # 95 %, paired bootstrap over groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """How many prompts went from one model to another."""

    old: str
    new: str
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDifference:
    """The whole comparison. What a corpus does not tell is None."""

    n: int
    changed: float  # share of prompts that another model answers
    refused: tuple[float, float]  # share of prompts that nobody may answer, before and after
    moves: tuple[Move, ...]  # the most frequent first
    predicted_quality: Change | None
    predicted_cost_usd: Change | None
    score: Change | None
    cost_usd: Change | None
    flips: tuple[Flips, ...]  # all prompts together, then each task; empty where no score is known


def difference(
    old: Routed, new: Routed, *, task: Sequence[str], group: npt.NDArray[np.str_], seed: int = 0
) -> PolicyDifference:
    """Compare two policies on the same prompts.

    Args:
        old: what the policy in force does.
        new: what its successor does.
        task: (n_prompts,) the benchmark of every prompt, for the flips.
        group: (n_prompts,) the key of every prompt's group, for the bootstrap.
        seed: of the bootstrap.

    Raises:
        InvalidReplayError: there is nothing to compare, or the two do not speak of the same prompts.
    """
    if not len(old.chosen) == len(new.chosen) == len(task) or not task:
        raise InvalidReplayError(f"{len(old.chosen)} and {len(new.chosen)} decisions cannot be compared")
    bootstrap = _Bootstrap(group, seed)
    pairs = list(zip(old.chosen, new.chosen, strict=True))
    moves = Counter(pair for pair in pairs if pair[0] != pair[1])
    scored = np.isfinite(old.score) & np.isfinite(new.score)  # (n_prompts,)
    return PolicyDifference(
        n=len(pairs),
        changed=moves.total() / len(pairs),
        refused=(_share_refused(old), _share_refused(new)),
        moves=tuple(Move(old=a, new=b, n=n) for (a, b), n in moves.most_common()),
        predicted_quality=bootstrap.change(old.predicted_quality, new.predicted_quality),
        predicted_cost_usd=bootstrap.change(old.predicted_cost_usd, new.predicted_cost_usd),
        score=bootstrap.change(old.score, new.score),
        cost_usd=bootstrap.change(old.cost_usd, new.cost_usd),
        flips=per_task(old.score[scored], new.score[scored], [t for t, s in zip(task, scored, strict=True) if s])
        if scored.any()
        else (),
    )


class _Bootstrap:
    """Means under both policies, always over the prompts that both know."""

    def __init__(self, group: npt.NDArray[np.str_], seed: int) -> None:
        self._group, self._seed = group, seed

    def change(self, old: Floats, new: Floats) -> Change | None:
        known = np.isfinite(old) & np.isfinite(new)  # (n_prompts,)
        if not known.any():
            return None
        drawn = GroupBootstrap(self._group[known], seed=self._seed)
        return Change(
            old=float(old[known].mean()),
            new=float(new[known].mean()),
            difference=drawn.of_difference(new[known], old[known]),
        )


def _share_refused(routed: Routed) -> float:
    return routed.chosen.count(REFUSED) / len(routed.chosen)
