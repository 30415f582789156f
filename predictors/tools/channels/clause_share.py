"""How much of a request a tool would serve, where several tools compete for each of its clauses."""

from typing import Final

import numpy as np
import numpy.typing as npt

from predictors.tools.protocol import Planes

__all__ = ["clause_share", "share_of_parts"]

_LEAST: Final = np.float32(1e-3)  # of a share: below it, tools are alike


def clause_share(scores: Planes, starts: npt.NDArray[np.int64], *, temperature: float) -> Planes:
    """`share_of_parts` of every request, shape (n_queries, n_tools).

    Args:
        scores: (n_clauses, n_tools); the first row of each request is its whole text, which counts where it is alone.
        starts: (n_queries + 1,) first row of each request.
        temperature: of the scores.
    """
    shares = np.empty((len(starts) - 1, scores.shape[1]), dtype=np.float32)  # (n_queries, n_tools)
    for row in range(len(shares)):
        first, end = starts[row], starts[row + 1]
        parts = scores[first + 1 : end] if end - first > 1 else scores[first:end]
        shares[row] = share_of_parts(parts, temperature=temperature)
    return shares


def share_of_parts(scores: Planes, *, temperature: float) -> Planes:
    """Logarithm of the mean, over the parts of one request, of a softmax over tools, shape (n_tools,).

    The best tool of each part gets a large share, however weak it looks beside the best of another part; three tools
    that would all serve the same part share it.

    Args:
        scores: (n_parts, n_tools)
        temperature: of the scores; the smaller, the more the best takes.
    """
    shares = scores - scores.max(axis=1, keepdims=True, initial=-np.inf)
    shares *= np.float32(1.0 / temperature)
    np.exp(shares, out=shares)
    weight = 1.0 / (len(shares) * np.maximum(shares.sum(axis=1), np.float32(1e-9)))  # (n_parts,)
    mean = weight.astype(np.float32) @ shares  # (n_tools,)
    mean += _LEAST
    logs: Planes = np.log(mean, out=mean)
    return logs
