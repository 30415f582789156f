"""Which models are new: each in turn, each maker's all at once, or the younger half."""

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import numpy as np

from catalog import ModelProfile
from eval.outcomes.table import Bools

__all__ = ["SPLITS", "Split", "left_out"]

Split = Literal["models", "families", "newer"]
SPLITS: tuple[Split, ...] = get_args(Split)
_FEWEST = 4  # models to learn from


def left_out(
    profiles: Sequence[ModelProfile], split: Split, *, folds: int | None = None
) -> Iterator[tuple[Bools, Bools]]:
    """Masks over the models, (n_models,) each: who is known, and who is new.

    Args:
        profiles: of the models.
        split: `models` leaves each out in turn, `families` all models of one maker, `newer` predicts the younger half
            of the dated models from the older half.
        folds: for `models`: so many groups, each left out at once, instead of each model by itself.
    """
    if split == "newer":
        yield from _newer(profiles)
        return
    keys = [profile.owner for profile in profiles]
    if split == "models":
        keys = [str(i % folds if folds else i) for i in range(len(profiles))]
    for key in dict.fromkeys(keys):
        new = np.array([k == key for k in keys])
        if (~new).sum() >= _FEWEST:
            yield ~new, new


def _newer(profiles: Sequence[ModelProfile]) -> Iterator[tuple[Bools, Bools]]:
    day = np.array([p.released.toordinal() if p.released else -1 for p in profiles])
    dated = day > 0
    if dated.sum() < 2 * _FEWEST:
        return
    middle = np.median(day[dated])
    yield dated & (day <= middle), dated & (day > middle)
