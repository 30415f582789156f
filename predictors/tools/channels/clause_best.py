"""One score per request out of one score per clause."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from predictors.tools.protocol import Planes

__all__ = ["best_clause"]


def best_clause(scores: Planes, starts: npt.NDArray[np.int64]) -> Planes:
    """The best score among a request's clauses and its whole text, shape (n_queries, n_tools).

    Args:
        scores: (n_clauses, n_tools)
        starts: (n_queries + 1,) first row of each request.
    """
    if len(starts) == len(scores) + 1:  # every request is one clause
        return scores
    best = np.empty((len(starts) - 1, scores.shape[1]), dtype=scores.dtype)  # (n_queries, n_tools)
    for row, (first, end) in enumerate(pairwise(starts.tolist())):  # ten times as fast as `np.maximum.reduceat`
        scores[first:end].max(axis=0, out=best[row])
    return best
