"""How sure are we: a bootstrap over groups of prompts, paired across policies.

Prompts of one group share a question's stem, so they are not independent: groups are drawn, not prompts. Every
policy is judged on the same draws, which is what makes differences between policies sharp.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catalog import Floats

__all__ = ["GroupBootstrap", "Interval", "percentile_interval"]

_MOST_GROUPS = 20_000  # a thousand draws of so many take 80 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A percentile interval."""

    lower: float
    upper: float


class GroupBootstrap:
    """Draws groups with replacement, always the same draws for the same seed.

    Args:
        group: (n_prompts,) the key of every prompt's group.
        seed: of the generator that draws.
        n_resamples: how many draws.
    """

    def __init__(self, group: npt.NDArray[np.str_], *, seed: int = 0, n_resamples: int = 1_000) -> None:
        names, self._group_of = np.unique(group, return_inverse=True)
        n_groups = min(len(names), _MOST_GROUPS)
        if n_groups < len(names):  # groups are independent, so several drawn as one leave intervals as they are
            self._group_of = np.random.default_rng(seed).permutation(len(names))[self._group_of] % n_groups
        even = np.full(n_groups, 1 / n_groups)
        # How often each group is drawn: float32 holds such counts exactly, in half the memory, and multiplies fast.
        self._drawn = (
            np.random.default_rng(seed).multinomial(n_groups, even, size=n_resamples).astype(np.float32)
        )  # (n_resamples, n_groups)
        self._drawn_prompts = self._drawn @ np.bincount(self._group_of).astype(np.float32)  # (n_resamples,)

    def means(self, columns: Floats) -> Floats:
        """Resampled means of per-prompt columns.

        Args:
            columns: (n_prompts, n_columns) one value per prompt and policy.

        Returns:
            (n_resamples, n_columns); row i of every call comes from the same draw i.
        """
        centre = columns.mean(axis=0)  # (n_columns,); what is left is small, so single precision loses nothing
        sums = np.stack([np.bincount(self._group_of, weights=c) for c in (columns - centre).T], axis=1)
        resampled = self._drawn @ sums.astype(np.float32)  # (n_resamples, n_columns)
        means: Floats = centre + resampled / self._drawn_prompts[:, None].astype(np.float64)
        return means

    def of_difference(self, values: Floats, reference: Floats, *, level: float = 0.95) -> Interval:
        """Interval of mean(values) - mean(reference), both (n_prompts,), over the same prompts."""
        return percentile_interval(self.means((values - reference)[:, None])[:, 0], level=level)

    def of_statistic(self, columns: Floats, statistic: Callable[[Floats], float], *, level: float = 0.95) -> Interval:
        """Interval of any function of the columns' means: `statistic` takes one row (n_columns,) of means."""
        return percentile_interval(np.array([statistic(row) for row in self.means(columns)]), level=level)


def percentile_interval(draws: Floats, *, level: float = 0.95) -> Interval:
    """The central interval of resampled values (n_resamples,), infinite ones included; undefined (NaN) are left out."""
    known = draws[~np.isnan(draws)]
    if known.size == 0:
        return Interval(lower=float("nan"), upper=float("nan"))
    tail = (1 - level) / 2
    if np.isinf(known).any():  # nothing lies between a number and infinity
        lower, upper = np.quantile(known, [tail, 1 - tail], method="inverted_cdf")
    else:
        lower, upper = np.quantile(known, [tail, 1 - tail])
    return Interval(lower=float(lower), upper=float(upper))
