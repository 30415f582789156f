"""What the most similar past requests used."""

from typing import Self

import numpy as np
import numpy.typing as npt

from predictors.tools.evidence import Evidence, QueryBatch
from predictors.tools.protocol import Planes, Rows

from .products import products

__all__ = ["UsageNeighbours"]

_CHUNK = 256  # requests scored at once: their similarities to all past requests must fit into memory


class UsageNeighbours:
    """Past requests near the new one vote for their tools, by meaning (cosine).

    Planes: the vote, weights exp((cosine - best cosine) / temperature) over the nearest `n_neighbours`, normalised;
    and the cosine of the single nearest request that used the tool, 0 where none of the nearest did.
    """

    planes = ("neighbours", "nearest")

    def __init__(self, *, n_neighbours: int = 48, temperature: float = 0.05) -> None:
        self.n_neighbours, self.temperature = n_neighbours, temperature

    def learn(self, evidence: Evidence) -> Self:
        """Keep the vectors of past requests."""
        self.evidence_ = evidence
        self.past_vectors_ = evidence.past.vectors  # (n_past, dim)
        self.tools_of_ = tools_of_requests(evidence)
        return self

    def update(self, evidence: Evidence) -> Self:
        """The same as `learn`: the requests are all there is to it."""
        return self.learn(evidence)

    def score(self, queries: QueryBatch, tools: Rows | None = None) -> Planes:
        """Scores of new requests, shape (2, n_queries, n_tools)."""
        planes = self._votes(queries.vectors, excluded=None, stripped=None)
        return planes if tools is None else planes[:, :, tools]

    def score_past(self, rows: Rows, stripped: Rows | None = None, tools: Rows | None = None) -> Planes:
        """Scores with each request kept from being its own neighbour, shape (2, n_rows, n_tools)."""
        planes = self._votes(self.past_vectors_[rows], excluded=rows, stripped=stripped)
        return planes if tools is None else planes[:, :, tools]

    def _votes(
        self,
        vectors: npt.NDArray[np.float32],
        *,
        excluded: npt.NDArray[np.int64] | None,
        stripped: npt.NDArray[np.int64] | None,
    ) -> Planes:
        """Both planes; `excluded` are rows of requests that are no neighbours of their own, see `speaking_pairs`."""
        n_tools = len(self.evidence_.registry)
        planes = np.zeros((2, len(vectors), n_tools), dtype=np.float32)
        if not len(self.evidence_.past):
            return planes
        for start in range(0, len(vectors), _CHUNK):
            similarity = products(vectors[start : start + _CHUNK], self.past_vectors_)  # (chunk, n_past)
            if excluded is not None:
                rows = excluded[start : start + _CHUNK]
                similarity[np.arange(len(rows)), rows] = -np.inf
            for offset, row in enumerate(similarity):
                vote(
                    row,
                    self.tools_of_,
                    planes=planes[:, start + offset],
                    n_neighbours=self.n_neighbours,
                    temperature=self.temperature,
                    speaking=speaking_pairs(
                        self.tools_of_, stripped, own=None if excluded is None else int(excluded[start + offset])
                    ),
                )
        return planes


def tools_of_requests(evidence: Evidence) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The tools of every past request as one flat array, and where each request's begin, (n_past + 1,)."""
    starts = np.zeros(len(evidence.past) + 1, dtype=np.int64)
    np.cumsum(np.bincount(evidence.pairs.query, minlength=len(evidence.past)), out=starts[1:])
    return evidence.pairs.tool, starts


def vote(
    similarity: npt.NDArray[np.float32],
    tools_of: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    *,
    planes: Planes,
    n_neighbours: int,
    temperature: float,
    speaking: npt.NDArray[np.bool_] | None = None,
) -> None:
    """Write the vote of one request's neighbours and their best similarity per tool.

    Args:
        similarity: (n_past,) to every past request; -inf excludes one.
        tools_of: of `tools_of_requests`.
        planes: (2, n_tools) to write to, zeros; left so where all requests are excluded.
        n_neighbours: how many of the most similar may vote.
        temperature: the smaller, the more the nearest alone decides.
        speaking: (n_pairs,) which pairs of request and tool may vote; None for all.
    """
    k = min(n_neighbours, len(similarity))
    nearest = np.argpartition(-similarity, k - 1)[:k] if k < len(similarity) else np.arange(k)  # (k,)
    near = similarity.take(nearest)  # (k,)
    top = near.max()
    if not np.isfinite(top):
        return
    weight = np.exp((near - top) / temperature)  # (k,)
    weight /= weight.sum()
    tools, starts = tools_of
    first = starts.take(nearest)  # (k,)
    sizes = starts.take(nearest + 1) - first  # (k,)
    ends = sizes.cumsum()  # (k,)
    flat = np.arange(ends[-1]) + (first + sizes - ends).repeat(sizes)  # (n_votes,) pairs
    weights, nearness = weight.repeat(sizes), np.maximum(near, 0.0).repeat(sizes)  # (n_votes,)
    if speaking is not None:
        heard = speaking[flat]  # (n_votes,)
        flat, weights, nearness = flat[heard], weights[heard], nearness[heard]
    voted = tools.take(flat)  # (n_votes,)
    planes[0] = np.bincount(voted, weights=weights, minlength=planes.shape[1])
    np.maximum.at(planes[1], voted, nearness)


def speaking_pairs(
    tools_of: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    stripped: npt.NDArray[np.int64] | None,
    *,
    own: int | None,
) -> npt.NDArray[np.bool_] | None:
    """Which pairs may vote for one past request: all but one per tool, and all of the tools it used itself.

    Args:
        tools_of: of `tools_of_requests`.
        stripped: (n_tools,) the pair to take from each tool, -1 for none; None takes nothing.
        own: row of the past request, which loses its own pairs by being no neighbour of itself.
    """
    if stripped is None:
        return None
    tools, starts = tools_of
    speaking = np.ones(len(tools), dtype=bool)
    speaking[stripped[stripped >= 0]] = False
    if own is not None:
        restored = stripped[tools[starts[own] : starts[own + 1]]]
        speaking[restored[restored >= 0]] = True
    return speaking
