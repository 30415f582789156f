"""How much each of several opinions about the same candidates counts, by what past requests needed."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from .listwise import fit_listwise

__all__ = ["believed", "nearness_to_the_best"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_NO_ERROR: Final = 1e-9
_RIDGE_OF_SHARES: Final = 10.0


def believed(opinions: Sequence[Floats], relevant: Bools, known: Bools, *, begun: Sequence[float]) -> list[float]:
    """How much each opinion counts beside the others, none below 0, one for each.

    The likeliest by what requests needed, drawn toward `begun`. They follow the opinions smoothly, where a choice of
    the best among options turns at a near tie on the last bits of a processor.

    Args:
        opinions: each (n_queries, n_candidates), held out.
        relevant: (n_queries, n_candidates)
        known: (n_queries, n_candidates) False where a missing label says nothing.
        begun: what opinions count where requests say nothing.

    Source: Breiman, Stacked Regressions, Machine Learning 24, 1996: what is not negative generalises.
    """
    x = np.stack(opinions, axis=2).astype(np.float32)  # (n_queries, n_candidates, n_opinions)
    start = np.array(begun)  # (n_opinions,)
    kept = np.ones(len(start), dtype=bool)
    while kept.any():
        fitted = fit_listwise(x[:, :, kept], relevant, prior=start[kept], ridge=_RIDGE_OF_SHARES, known=known)
        if (fitted >= 0.0).all():
            shares = np.zeros(len(start))
            shares[kept] = fitted
            return [float(share) for share in shares]
        kept[kept] = fitted > 0.0
    return list(begun)  # nothing that was offered is of use


def nearness_to_the_best(quality: Sequence[Floats]) -> Floats:
    """How much each option counts in a mean over all: exp(-z^2 / 2), z standard errors below the best, adding up to 1.

    Of options that are all but level, none is preferred; one that is two standard errors worse hardly counts.

    Args:
        quality: of each option, (n_queries,).
    """
    judged = np.stack(list(quality))  # (n_options, n_queries)
    below = judged[judged.mean(axis=1).argmax()] - judged  # (n_options, n_queries)
    error = below.std(axis=1) / np.sqrt(below.shape[1])  # (n_options,)
    z = below.mean(axis=1) / np.maximum(error, _NO_ERROR)  # (n_options,)
    near = np.exp(-0.5 * z**2)  # (n_options,)
    counts: Floats = near / near.sum()
    return counts
