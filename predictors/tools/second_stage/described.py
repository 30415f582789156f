"""What boosted trees look at: the best candidates by the linear score, with that score, co-use and twins."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from predictors.tools.candidates import Candidates

from .co_use import CoUse
from .twins import Twins

__all__ = ["best_columns", "directions", "with_first_opinion", "with_the_rest"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_N_WEIGHED: Final = 32  # candidates
_LOG_RANK: Final = np.log1p(np.arange(_N_WEIGHED))  # (n_weighed,)
_UNDIRECTED: Final = ("log_uses", "cold", "n_clauses")  # more of these is neither better nor worse by itself
_OF_OPINION: Final = (1, 1, -1, 1, -1)  # directions of the linear score, its gap and rank, co-use and its rank
_BELOW: Final = 1e-6


def best_columns(linear: Floats) -> Ints:
    """The columns of the highest linear scores, best first, (n_queries, at most 32)."""
    return np.argsort(-linear, axis=1, kind="stable")[:, :_N_WEIGHED]


def with_first_opinion(
    candidates: Candidates,
    linear: Floats,
    co_use: CoUse,
    *,
    weighed: Ints,
    own: Sequence[Ints] | None = None,
    twins: Twins | None = None,
) -> npt.NDArray[np.float32]:
    """Features with the linear score, its gap and rank, co-use, and twins, (n_queries, n_weighed, n_features + 5 or 8).

    Args:
        candidates: the shortlists.
        linear: (n_queries, n_candidates) log shares.
        co_use: of the registry.
        weighed: (n_queries, n_weighed) columns of the shortlists to describe, those of `best_columns`.
        own: the tools each past request used, for which it does not testify; None for new requests.
        twins: of the registry; None leaves them out.
    """
    shares = np.exp(linear)  # (n_queries, n_candidates)
    support = np.stack(
        [
            co_use.support(shares[row], candidates.tool[row], own=None if own is None else own[row])
            for row in range(len(linear))
        ]
    )  # (n_queries, n_candidates)
    rows = np.arange(len(linear))[:, None]  # (n_queries, 1)
    best = linear[rows, weighed]  # (n_queries, n_weighed)
    n_features = candidates.features.shape[2]
    n_described = n_features + len(_OF_OPINION) + (0 if twins is None else twins.n_features)
    described = np.empty((*weighed.shape, n_described), dtype=np.float32)
    described[:, :, :n_features] = candidates.features[rows, weighed]
    described[:, :, n_features] = best
    described[:, :, n_features + 1] = best - best[:, :1]
    described[:, :, n_features + 2] = _LOG_RANK[: weighed.shape[1]]  # best first, as they are
    described[:, :, n_features + 3] = support[rows, weighed]
    described[:, :, n_features + 4] = _log_rank(support)[rows, weighed]
    if twins is not None:
        for row, tool in enumerate(candidates.tool[rows, weighed]):
            described[row, :, n_features + len(_OF_OPINION) :] = twins.describe(tool, shares[row, weighed[row]])
    return described


def directions(names: Sequence[str]) -> list[int]:
    """Which way each of the features of `with_first_opinion` may move a tree's score: 1 up, -1 down, 0 either.

    More evidence never makes a tool less likely, all else equal. Free of this, trees of a few hundred requests learn
    exceptions that do not hold, most of all about tools without use; trees of more requests learn some that do.

    Args:
        names: of the candidates' own features.
    """
    return [0 if name in _UNDIRECTED else -1 if name.endswith(":rank") else 1 for name in names] + list(_OF_OPINION)


def with_the_rest(opinion: Floats, linear: Floats, weighed: Ints, *, share: float) -> Floats:
    """Scores of all candidates, where trees have weighed the best: the rest lie below these, in the linear order.

    Args:
        opinion: (n_queries, n_weighed) of the trees, with their share in it.
        linear: (n_queries, n_candidates) log shares.
        weighed: (n_queries, n_weighed) columns, those of `best_columns`.
        share: of the linear score in what was weighed.

    Returns:
        (n_queries, n_candidates)
    """
    rows = np.arange(len(linear))[:, None]  # (n_queries, 1)
    best = linear[rows, weighed]  # (n_queries, n_weighed)
    blended = opinion + share * best
    lowest = blended.min(axis=1, keepdims=True) - best[:, -1:]  # (n_queries, 1)
    scores: Floats = lowest + linear - _BELOW  # falls with the linear score, from just below the lowest
    scores[rows, weighed] = blended
    return scores


def _log_rank(scores: Floats) -> Floats:
    """log(1 + rank), 0 for the best, along the last axis."""
    ranks: Floats = np.log1p((-scores).argsort(axis=-1, kind="stable").argsort(axis=-1, kind="stable"))
    return ranks
