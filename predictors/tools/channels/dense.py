"""Meaning of the description: the cosine between a request and what a tool says of itself."""

from typing import Self

import numpy as np

from predictors.tools.evidence import Evidence, QueryBatch
from predictors.tools.protocol import Planes, Rows

from .clause_best import best_clause
from .products import products

__all__ = ["DenseDescriptions"]


class DenseDescriptions:
    """Cosine of the whole request and of its best clause with what a tool says of itself (`vectors_of`)."""

    planes = ("dense", "dense_clause")

    def learn(self, evidence: Evidence) -> Self:
        """Keep the vectors of the tools; usage plays no part."""
        self.tool_vectors_ = evidence.tool_vectors  # (n_tools, dim)
        self.past_ = evidence.past
        return self

    def update(self, evidence: Evidence) -> Self:
        """The same as `learn`: nothing was learned from usage."""
        return self.learn(evidence)

    def score(self, queries: QueryBatch, tools: Rows | None = None) -> Planes:
        """Scores of new requests, shape (n_planes, n_queries, n_tools)."""
        vectors = self.tool_vectors_ if tools is None else self.tool_vectors_[tools]  # (n_tools, dim)
        similarity = products(queries.clause_vectors, vectors)  # (n_clauses, n_tools)
        planes = np.empty((2, len(queries), len(vectors)), dtype=np.float32)
        planes[0] = similarity[queries.starts[:-1]]
        planes[1] = best_clause(similarity, queries.starts)
        return planes

    def score_past(self, rows: Rows, stripped: Rows | None = None, tools: Rows | None = None) -> Planes:  # noqa: ARG002
        """The same as `score`: nothing was learned from past requests."""
        return self.score(self.past_.subset(rows), tools)
