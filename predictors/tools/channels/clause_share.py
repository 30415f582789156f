"""How much of a request a tool would serve, where several tools compete for each of its clauses."""

from typing import Final

import numpy as np
import numpy.typing as npt

from predictors.tools.protocol import Planes

__all__ = ["clause_share"]

_LEAST: Final = np.float32(1e-3)  # of a share: below it, tools are alike


def clause_share(scores: Planes, starts: npt.NDArray[np.int64], *, temperature: float) -> Planes:
    """Logarithm of the mean, over a request's clauses, of a softmax over tools, shape (n_queries, n_tools).

    The best tool of each clause gets a large share, however weak it looks beside the best of another clause; three
    tools that would all serve the same clause share it. The whole text counts where it is the only clause.

    Args:
        scores: (n_clauses, n_tools); the first row of each request is its whole text.
        starts: (n_queries + 1,) first row of each request.
        temperature: of the scores; the smaller, the more the best takes.
    """
    n_parts = np.diff(starts) - 1  # (n_queries,), 0 where the whole text is the only clause
    shares = np.exp((scores - scores.max(axis=1, keepdims=True, initial=-np.inf)) / np.float32(temperature))
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), np.float32(1e-9))
    shares[starts[:-1][n_parts > 0]] = 0.0
    summed = np.add.reduceat(shares, starts[:-1], axis=0) if len(n_parts) else shares[:0]  # (n_queries, n_tools)
    mean = summed / np.maximum(n_parts, 1).astype(np.float32)[:, None]
    logs: Planes = np.log(mean + _LEAST).astype(np.float32)
    return logs
