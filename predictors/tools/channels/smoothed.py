"""Tool2Vec drawn toward the description, the more so the less a tool was used."""

from typing import Final, Self

import numpy as np
import numpy.typing as npt

from predictors.tools.aligned import at_cache_line
from predictors.tools.evidence import Evidence, QueryBatch
from predictors.tools.protocol import Planes, Rows

from .clause_best import best_clause
from .clause_share import clause_share
from .products import products

__all__ = ["SmoothedTool2Vec", "nearest_clauses"]


class SmoothedTool2Vec:
    """v(t) = unit(strength * description + sum of usage vectors); score = v(t) . request.

    `strength` is worth so many requests. A second plane takes, for each past request, the clause nearest to the
    tool's description in place of the whole text, and scores new requests by their best clause: a request for three
    tools otherwise teaches each of them the words of the other two. A third says which share of the clauses is a
    tool's.
    """

    planes = ("smoothed", "smoothed_clause", "clause_share")

    def __init__(self, *, strength: float = 4.0) -> None:
        self.strength = strength

    def learn(self, evidence: Evidence) -> Self:
        """Sum usage vectors, whole and by clause, onto the weighted description."""
        self.evidence_ = evidence
        self.clause_of_pair_ = nearest_clauses(evidence)  # (n_pairs,) rows of past.clause_vectors
        self.used_ = np.flatnonzero(evidence.counts)  # (n_used,) rows of tools
        self.place_ = np.full(len(evidence.counts), -1, dtype=np.int64)  # (n_tools,) in `used_`
        self.place_[self.used_] = np.arange(len(self.used_))
        past, pairs, dim = evidence.past, evidence.pairs, evidence.tool_vectors.shape[1]
        sums = np.zeros((2, len(self.used_), dim), dtype=np.float32)  # by the whole request, by its nearest clause
        np.add.at(sums[0], self.place_[pairs.tool], past.vectors[pairs.query])
        begun = np.float32(self.strength) * evidence.tool_vectors  # (n_tools, dim)
        if evidence.observed_sums is not None:
            begun += evidence.observed_sums
        self.whole_ = begun[self.used_] + sums[0]  # (n_used, dim), not yet of unit length
        self.aligned_ = begun[self.used_]  # (n_used, dim)
        np.add.at(self.aligned_, self.place_[pairs.tool], past.clause_vectors[self.clause_of_pair_])
        self.unit_whole_ = _unit(begun)  # (n_tools, dim)
        if not len(self.used_):
            self.unit_aligned_ = self.unit_whole_
            return self
        self.unit_aligned_ = at_cache_line(self.unit_whole_.copy())  # (n_tools, dim)
        self.unit_whole_[self.used_], self.unit_aligned_[self.used_] = _unit(self.whole_), _unit(self.aligned_)
        return self

    def update(self, evidence: Evidence) -> Self:
        """The same as `learn`: sums over usage are all there is to it."""
        return self.learn(evidence)

    def score(self, queries: QueryBatch, tools: Rows | None = None) -> Planes:
        """Scores of new requests, shape (3, n_queries, n_tools)."""
        whole, aligned = self.unit_whole_, self.unit_aligned_
        if tools is not None:
            whole, aligned = whole[tools], aligned[tools]
        return _planes(products(queries.vectors, whole), products(queries.clause_vectors, aligned), queries.starts)

    def score_past(self, rows: Rows, stripped: Rows | None = None, tools: Rows | None = None) -> Planes:
        """Scores with each request taken out of the sums it is in, shape (3, n_rows, n_tools)."""
        past, pairs = self.evidence_.past.subset(rows), self.evidence_.pairs
        scored = np.arange(len(self.unit_whole_)) if tools is None else tools  # (n_tools,)
        if stripped is None:
            whole, aligned = self.unit_whole_[scored], self.unit_aligned_[scored]
        else:
            whole, aligned = self._without(stripped, scored)
        similarity = products(past.vectors, whole)  # (n_rows, n_tools)
        by_clause = products(past.clause_vectors, aligned)  # (n_clauses, n_tools)
        place = np.full(len(self.unit_whole_), -1, dtype=np.int64)  # of each tool among the scored
        place[scored] = np.arange(len(scored))
        at_row = np.full(len(self.evidence_.past), -1, dtype=np.int64)  # of each past request among `rows`
        at_row[rows] = np.arange(len(rows))
        chosen = np.flatnonzero((at_row[pairs.query] >= 0) & (place[pairs.tool] >= 0))  # (n_own,) pairs
        at, tool = at_row[pairs.query[chosen]], pairs.tool[chosen]
        own = past.vectors[at]  # (n_own, dim)
        similarity[at, place[tool]] = np.einsum("ij,ij->i", own, _unit(self.whole_[self.place_[tool]] - own))
        clause = self.evidence_.past.clause_vectors[self.clause_of_pair_[chosen]]  # (n_own, dim)
        without = _unit(self.aligned_[self.place_[tool]] - clause)  # (n_own, dim)
        for number, position in enumerate(at):
            own_clauses = slice(past.starts[position], past.starts[position + 1])
            by_clause[own_clauses, place[tool[number]]] = past.clause_vectors[own_clauses] @ without[number]
        return _planes(similarity, by_clause, past.starts)

    def _without(self, stripped: Rows, tools: Rows) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Unit vectors of these tools less one pair each, whole and by clause, both (n_tools, dim)."""
        pairs = stripped[tools]  # (n_tools,)
        losing = np.flatnonzero(pairs >= 0)
        used = self.place_[tools[losing]]  # (n_losing,)
        past = self.evidence_.past
        whole, aligned = self.unit_whole_[tools], self.unit_aligned_[tools]
        of_whole = past.clause_vectors[past.starts[self.evidence_.pairs.query[pairs[losing]]]]  # (n_losing, dim)
        whole[losing] = _unit(self.whole_[used] - of_whole)
        aligned[losing] = _unit(self.aligned_[used] - past.clause_vectors[self.clause_of_pair_[pairs[losing]]])
        return at_cache_line(whole), at_cache_line(aligned)


def _planes(similarity: Planes, by_clause: Planes, starts: npt.NDArray[np.int64]) -> Planes:
    planes = np.empty((3, *similarity.shape), dtype=np.float32)
    planes[0] = similarity
    planes[1] = best_clause(by_clause, starts)
    planes[2] = clause_share(by_clause, starts, temperature=_TEMPERATURE)
    return planes


_TEMPERATURE: Final = 0.05  # of cosines


def nearest_clauses(evidence: Evidence) -> npt.NDArray[np.int64]:
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
    return at_cache_line(vectors / np.maximum(norms, np.float32(1e-9)))
