"""Meaning of the description: the cosine between a request and what a tool says of itself."""

from typing import Self

import numpy as np

from predictors.tools.evidence import Evidence, QueryBatch
from predictors.tools.protocol import Planes, Rows

from .clause_best import best_clause

__all__ = ["DenseDescriptions"]


class DenseDescriptions:
    """Cosine of the request and of its best clause with what a tool says, and of the best clause with its name."""

    planes = ("dense", "dense_clause", "dense_name")

    def learn(self, evidence: Evidence) -> Self:
        """Keep the vectors of the tools; usage plays no part."""
        self.vectors_ = evidence.described
        self.past_ = evidence.past
        return self

    def update(self, evidence: Evidence) -> Self:
        """The same as `learn`: nothing was learned from usage."""
        return self.learn(evidence)

    def score(self, queries: QueryBatch, tools: Rows | None = None) -> Planes:
        """Scores of new requests, shape (n_planes, n_queries, n_tools)."""
        told = self.vectors_
        whole, name = (told.whole, told.name) if tools is None else (told.whole[tools], told.name[tools])
        similarity = queries.clause_vectors @ whole.T  # (n_clauses, n_tools)
        by_name = queries.clause_vectors @ name.T  # (n_clauses, n_tools)
        by_clause, named = best_clause(similarity, queries.starts), best_clause(by_name, queries.starts)
        return np.stack([similarity[queries.starts[:-1]], by_clause, named])

    def score_past(self, rows: Rows, stripped: Rows | None = None, tools: Rows | None = None) -> Planes:  # noqa: ARG002
        """The same as `score`: nothing was learned from past requests."""
        return self.score(self.past_.subset(rows), tools)
