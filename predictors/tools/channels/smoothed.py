"""Tool2Vec drawn toward the description, the more so the less a tool was used."""

from typing import Self

import numpy as np
import numpy.typing as npt

from predictors.tools.evidence import Evidence, QueryBatch
from predictors.tools.protocol import Planes

from .clause_best import best_clause
from .tool2vec import own_pairs, usage_sums

__all__ = ["SmoothedTool2Vec"]


class SmoothedTool2Vec:
    """v(t) = unit(strength * description + sum of usage vectors); score = v(t) . request.

    `strength` is worth so many requests. A second plane takes, for each past request, the clause nearest to the
    tool's description in place of the whole text, and scores new requests by their best clause: a request for three
    tools otherwise teaches each of them the words of the other two.
    """

    planes = ("smoothed", "smoothed_clause")

    def __init__(self, *, strength: float = 4.0) -> None:
        self.strength = strength

    def learn(self, evidence: Evidence) -> Self:
        """Sum usage vectors, whole and by clause, onto the weighted description."""
        self.evidence_ = evidence
        base = np.float32(self.strength) * evidence.tool_vectors  # (n_tools, dim)
        if evidence.observed_sums is not None:
            base = base + evidence.observed_sums
        self.whole_ = base + usage_sums(evidence)  # (n_tools, dim), not yet of unit length
        self.clause_of_pair_ = _nearest_clauses(evidence)  # (n_pairs,) rows of past.clause_vectors
        aligned = base.copy()
        np.add.at(aligned, evidence.pairs.tool, evidence.past.clause_vectors[self.clause_of_pair_])
        self.aligned_ = aligned  # (n_tools, dim)
        self.unit_whole_, self.unit_aligned_ = _unit(self.whole_), _unit(self.aligned_)
        return self

    def update(self, evidence: Evidence) -> Self:
        """The same as `learn`: sums over usage are all there is to it."""
        return self.learn(evidence)

    def score(self, queries: QueryBatch) -> Planes:
        """Scores of new requests, shape (2, n_queries, n_tools)."""
        return _cosines(queries, self.unit_whole_, self.unit_aligned_)

    def score_past(self, rows: npt.NDArray[np.int64], stripped: npt.NDArray[np.int64] | None = None, /) -> Planes:
        """Scores with each request taken out of the sums it is in, shape (2, n_rows, n_tools)."""
        past = self.evidence_.past.subset(rows)
        planes = self.score(past) if stripped is None else _cosines(past, *self._without(stripped))
        at, tool = own_pairs(self.evidence_, rows)
        own = past.vectors[at]  # (n_own, dim)
        planes[0, at, tool] = np.einsum("ij,ij->i", own, _unit(self.whole_[tool] - own))
        chosen = np.isin(self.evidence_.pairs.query, rows)
        clause = self.evidence_.past.clause_vectors[self.clause_of_pair_[chosen]]  # (n_own, dim)
        without = _unit(self.aligned_[self.evidence_.pairs.tool[chosen]] - clause)  # (n_own, dim)
        place = {int(row): position for position, row in enumerate(rows)}
        for pair, (query, tool_row) in enumerate(
            zip(self.evidence_.pairs.query[chosen], self.evidence_.pairs.tool[chosen], strict=True)
        ):
            position = place[int(query)]
            own_clauses = past.clause_vectors[past.starts[position] : past.starts[position + 1]]
            planes[1, position, tool_row] = (own_clauses @ without[pair]).max()
        return planes

    def _without(self, stripped: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Unit vectors of the tools less one pair each, whole and by clause, both (n_tools, dim)."""
        tools = np.flatnonzero(stripped >= 0)
        pairs = stripped[tools]
        whole, aligned = self.whole_.copy(), self.aligned_.copy()
        past = self.evidence_.past
        whole[tools] -= past.clause_vectors[past.starts[self.evidence_.pairs.query[pairs]]]
        aligned[tools] -= past.clause_vectors[self.clause_of_pair_[pairs]]
        return _unit(whole), _unit(aligned)


def _cosines(queries: QueryBatch, whole: npt.NDArray[np.float32], aligned: npt.NDArray[np.float32]) -> Planes:
    by_clause = queries.clause_vectors @ aligned.T  # (n_clauses, n_tools)
    return np.stack([queries.vectors @ whole.T, best_clause(by_clause, queries.starts)])


def _nearest_clauses(evidence: Evidence) -> npt.NDArray[np.int64]:
    """For each pair, the clause nearest to the tool's description; the whole text where there is but one clause."""
    past, pairs = evidence.past, evidence.pairs
    chosen = past.starts[pairs.query].copy()  # (n_pairs,)
    n_clauses = np.diff(past.starts)[pairs.query]  # (n_pairs,)
    for pair in np.flatnonzero(n_clauses > 1):
        first = past.starts[pairs.query[pair]] + 1
        clauses = past.clause_vectors[first : past.starts[pairs.query[pair] + 1]]  # (n_parts, dim)
        chosen[pair] = first + int(np.argmax(clauses @ evidence.tool_vectors[pairs.tool[pair]]))
    return chosen


def _unit(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: npt.NDArray[np.float32] = vectors / np.maximum(norms, np.float32(1e-9))
    return unit
