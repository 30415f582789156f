"""The few hundred tools of a large registry that are worth scoring for a request."""

from typing import Final, Self

import numpy as np

from predictors.encoders.protocol import Vectors

from .channels.bm25 import Bm25
from .channels.neighbours import tools_of_requests
from .channels.smoothed import SmoothedTool2Vec
from .evidence import Evidence, QueryBatch
from .protocol import Rows
from .vector_index import VectorIndex

__all__ = ["Prefilter"]

_PER_SOURCE: Final = 256
_N_NEIGHBOURS: Final = 64


class Prefilter:
    """Whatever one of three sources puts forward: nearest vectors, best words, and the tools of similar requests.

    The vectors are those of `SmoothedTool2Vec`, kept in a `VectorIndex`, and are asked for the request and each of its
    clauses. Nothing is ranked here: `StackedRetriever` scores what is put forward by every channel.
    """

    def __init__(self, words: Bm25, meaning: SmoothedTool2Vec) -> None:
        self.words = words
        self.meaning = meaning

    def learn(self, evidence: Evidence, *, centres: Vectors | None = None) -> Self:
        """Index all tools; both channels have learned the same evidence before.

        Args:
            evidence: whose tools are indexed.
            centres: of the lists of an index that was saved, (n_lists, dim); None looks for some.
        """
        vectors = self.meaning.unit_whole_
        self.index_ = VectorIndex(dim=vectors.shape[1], centres=centres)
        self.index_.put([tool.tool_id for tool in evidence.registry], vectors)
        self._take(evidence)
        return self

    def update(self, evidence: Evidence) -> Self:
        """Index what is new or has moved, forget what is gone."""
        older, registry = self.evidence_.registry, evidence.registry
        self.index_.remove(evidence.registry.change_since(older).removed)
        was = np.array([older.row(t.tool_id) if t.tool_id in older else -1 for t in registry], dtype=np.int64)
        vectors = self.meaning.unit_whole_  # (n_tools, dim)
        moved = was < 0  # (n_tools,)
        moved[~moved] = (vectors[~moved] != self.vectors_[was[~moved]]).any(axis=1)
        rows = np.flatnonzero(moved)
        self.index_.put([registry.tools[int(row)].tool_id for row in rows], vectors[rows])
        self._take(evidence)
        return self

    def rows(self, request: QueryBatch) -> Rows:
        """Rows of the tools put forward for one request, in the registry's order."""
        registry = self.evidence_.registry
        near = self.index_.search(request.clause_vectors, _PER_SOURCE)
        by_meaning = np.array([registry.row(tool_id) for found in near for tool_id, _ in found], dtype=np.int64)
        scores = self.words.index_.scores(request.words[0])[:, 0]  # (n_slots,)
        best = _highest(scores, _PER_SOURCE)
        by_words = self.row_of_slot_[best[scores[best] > 0.0]]
        return np.unique(np.concatenate([by_meaning, by_words, self._by_neighbours(request)]))

    def _by_neighbours(self, request: QueryBatch) -> Rows:
        past = self.evidence_.past
        if not len(past):
            return np.zeros(0, dtype=np.int64)
        tools, starts = self.tools_of_
        nearest = _highest(past.vectors @ request.vectors[0], _N_NEIGHBOURS)
        return np.concatenate([tools[starts[row] : starts[row + 1]] for row in nearest])

    def _take(self, evidence: Evidence) -> None:
        self.evidence_ = evidence
        self.vectors_ = self.meaning.unit_whole_  # (n_tools, dim) as they are in the index
        self.tools_of_ = tools_of_requests(evidence)
        self.row_of_slot_ = np.full(self.words.index_.n_slots, -1, dtype=np.int64)  # (n_slots,)
        self.row_of_slot_[self.words.slots_] = np.arange(len(self.words.slots_))


def _highest(scores: np.ndarray, k: int) -> Rows:
    return np.argpartition(-scores, k)[:k] if k < len(scores) else np.arange(len(scores))
