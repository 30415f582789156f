"""What an update breaks: two versions of equal mean can still turn one answer in ten from right to wrong.

    NFR     share of prompts that were right and are wrong now
    NFR_mc  share that are wrong now and answered otherwise than before (wrong to another wrong counts too)
    BTC     share of what was right that still is, 1 - NFR / accuracy of the old
    PFR     share that got better; for graded scores, where the score rose
    gain, regression   mean change among those that rose, and among those that fell

Source: MUSCLE, arXiv 2407.09435 v2, EMNLP 2024 Findings.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catalog.errors import InvalidMeasurementError
from catalog.pools.pool import Floats

__all__ = ["Flips", "compare_answers", "compare_scores", "per_task"]

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flips:
    """The update of one task, or of all together."""

    task: str
    n: int
    old_mean: float
    new_mean: float
    negative: float  # NFR
    negative_changed: float | None  # NFR_mc; None where only scores are known, not answers
    positive: float  # PFR
    still_right: float | None  # BTC; None where the old was never right
    gain: float | None
    regression: float | None


def compare_answers(
    old: Sequence[object], new: Sequence[object], truth: Sequence[object], *, task: str = "all"
) -> Flips:
    """Flips between two versions whose answers are known.

    Raises:
        InvalidMeasurementError: the three differ in length or are empty.
    """
    if not len(old) == len(new) == len(truth):
        raise InvalidMeasurementError(f"{task}: {len(old)} old and {len(new)} new answers, {len(truth)} truths")
    was = np.array([a == y for a, y in zip(old, truth, strict=True)], dtype=np.float64)
    now = np.array([a == y for a, y in zip(new, truth, strict=True)], dtype=np.float64)
    changed = np.array([a != b for a, b in zip(old, new, strict=True)])
    return _flips(was, now, changed, task=task, right_from=0.5)


def compare_scores(
    old: Floats, new: Floats, *, changed: Bools | None = None, task: str = "all", right_from: float = 0.5
) -> Flips:
    """Flips between two versions whose scores are known, (n_prompts,) each, in the same order.

    Args:
        old: scores of the old version, in [0, 1].
        new: scores of the new version.
        changed: (n_prompts,) whether the answers differ, for NFR_mc; None where answers are not known.
        task: a name for the report.
        right_from: a score of at least this counts as right, for NFR and BTC. Rises and falls of any size count for
            PFR, gain and regression.
    """
    return _flips(old, new, changed, task=task, right_from=right_from)


def per_task(
    old: Floats, new: Floats, tasks: Sequence[str], *, changed: Bools | None = None, right_from: float = 0.5
) -> tuple[Flips, ...]:
    """Flips of all prompts together, then of each task by name; prompts of no task ("") count among all alone."""
    if len(tasks) != len(old):
        raise InvalidMeasurementError(f"{len(tasks)} tasks for {len(old)} scores")
    names = np.array(tasks, dtype=object)
    each = [
        compare_scores(
            old[names == task],
            new[names == task],
            changed=None if changed is None else changed[names == task],
            task=task,
            right_from=right_from,
        )
        for task in sorted(set(tasks) - {""})
    ]
    return (compare_scores(old, new, changed=changed, right_from=right_from), *each)


def _flips(old: Floats, new: Floats, changed: Bools | None, *, task: str, right_from: float) -> Flips:
    if old.shape != new.shape or old.ndim != 1 or not len(old):
        raise InvalidMeasurementError(f"{task}: {old.shape} old and {new.shape} new scores cannot be compared")
    if not (np.isfinite(old).all() and np.isfinite(new).all()):
        raise InvalidMeasurementError(f"{task}: compare only prompts that both versions answered")
    was, now, delta = old >= right_from, new >= right_from, new - old
    negative = float((was & ~now).mean())
    return Flips(
        task=task,
        n=len(old),
        old_mean=float(old.mean()),
        new_mean=float(new.mean()),
        negative=negative,
        negative_changed=None if changed is None else float((~now & changed).mean()),
        positive=float((delta > 0).mean()),
        still_right=1.0 - negative / float(was.mean()) if was.any() else None,
        gain=float(delta[delta > 0].mean()) if (delta > 0).any() else None,
        regression=float(-delta[delta < 0].mean()) if (delta < 0).any() else None,
    )
