"""How a registry's requests speak of what its tools say of themselves: learned from use, true of unused tools too."""

from collections.abc import Mapping
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from predictors.tools.evidence import Evidence, QueryBatch
from predictors.tools.protocol import Planes, Rows

from .clause_best import best_clause
from .products import products
from .smoothed import nearest_clauses

__all__ = ["MappedDescriptions"]

Matrix = npt.NDArray[np.float32]
_N_FOLDS: Final = 8


class MappedDescriptions:
    """(request M) . description, where M is a linear map near the identity that takes requests to their tools.

    A ridge regression from the vectors of past requests to the descriptions of what they used. It says nothing of one
    tool alone: names, dates and places that requests are full of and descriptions never have are learned to be
    passed over, and what users call a thing to be what its makers call it. So a tool that nobody has used gains as
    much as the others. One map is for whole requests, one for the clause nearest to the description. Past requests are
    scored by maps that were fitted without their fold.
    """

    planes = ("mapped", "mapped_clause")

    def __init__(self, *, ridge: float = 3.0) -> None:
        self.ridge = ridge

    def learn(self, evidence: Evidence) -> Self:
        """Fit both maps on all usage, and on all but each fold of it."""
        self._take(evidence)
        self.maps_, self.fold_maps_ = self._fit(evidence)  # (2, dim, dim), (_N_FOLDS, 2, dim, dim)
        return self

    def fitted(self) -> dict[str, Matrix]:
        """The maps; those of the folds have served their purpose."""
        return {"maps": self.maps_}

    def restore(self, evidence: Evidence, fitted: Mapping[str, Matrix]) -> Self:
        """As after `learn` on this evidence, without fitting; past requests are then scored like new ones."""
        self._take(evidence)
        self.maps_, self.fold_maps_ = fitted["maps"], None
        return self

    def update(self, evidence: Evidence) -> Self:
        """The same maps, for the tools there are now."""
        self._take(evidence)
        self.fold_maps_ = None
        return self

    def score(self, queries: QueryBatch, tools: Rows | None = None) -> Planes:
        """Scores of new requests, shape (2, n_queries, n_tools)."""
        whole, clause = self.maps_
        return self._planes(queries.vectors @ whole, queries.clause_vectors @ clause, queries.starts, tools)

    def score_past(self, rows: Rows, stripped: Rows | None = None, tools: Rows | None = None) -> Planes:  # noqa: ARG002
        """Scores by maps that never saw the request, shape (2, n_rows, n_tools)."""
        past = self.past_.subset(rows)
        if self.fold_maps_ is None:
            return self.score(past, tools)
        fold = rows % _N_FOLDS  # (n_rows,)
        fold_of_clause = fold.repeat(np.diff(past.starts))  # (n_clauses,)
        wholes, clauses = np.empty_like(past.vectors), np.empty_like(past.clause_vectors)
        for number, (whole, clause) in enumerate(self.fold_maps_):
            wholes[fold == number] = past.vectors[fold == number] @ whole
            clauses[fold_of_clause == number] = past.clause_vectors[fold_of_clause == number] @ clause
        return self._planes(wholes, clauses, past.starts, tools)

    def _take(self, evidence: Evidence) -> None:
        self.past_, self.tool_vectors_ = evidence.past, evidence.tool_vectors  # (n_tools, dim)

    def _planes(self, wholes: Matrix, clauses: Matrix, starts: Rows, tools: Rows | None) -> Planes:
        """Scores of mapped requests (n_queries, dim) and of their mapped clauses (n_clauses, dim)."""
        vectors = self.tool_vectors_ if tools is None else self.tool_vectors_[tools]  # (n_tools, dim)
        planes = np.empty((2, len(wholes), len(vectors)), dtype=np.float32)
        planes[0] = products(wholes, vectors)
        planes[1] = best_clause(products(clauses, vectors), starts)
        return planes

    def _fit(self, evidence: Evidence) -> tuple[Matrix, Matrix | None]:
        """Maps of all usage and of all but each fold."""
        past, pairs = evidence.past, evidence.pairs
        dim = evidence.tool_vectors.shape[1]
        weight = (1.0 / np.bincount(pairs.query, minlength=len(past)))[pairs.query]  # (n_pairs,) a request counts once
        fold = pairs.query % _N_FOLDS  # (n_pairs,)
        wanted = evidence.tool_vectors[pairs.tool].astype(np.float64)  # (n_pairs, dim)
        maps = np.empty((_N_FOLDS + 1, 2, dim, dim), dtype=np.float32)
        for kind, rows in enumerate((past.starts[pairs.query], nearest_clauses(evidence))):
            said = past.clause_vectors[rows].astype(np.float64)  # (n_pairs, dim)
            spread, missed = np.zeros((2, _N_FOLDS, dim, dim))
            for number in range(_N_FOLDS):
                x, y = said[fold == number], wanted[fold == number]  # (n, dim)
                weighed = weight[fold == number, None] * x  # (n, dim)
                spread[number], missed[number] = weighed.T @ x, weighed.T @ (y - x)
            for number in range(_N_FOLDS + 1):
                kept = np.arange(_N_FOLDS) != number  # all of them in the last round
                curvature = spread[kept].sum(axis=0) + self.ridge * np.eye(dim)
                maps[number, kind] = np.eye(dim) + np.linalg.solve(curvature, missed[kept].sum(axis=0))
        return maps[_N_FOLDS], maps[:_N_FOLDS]
