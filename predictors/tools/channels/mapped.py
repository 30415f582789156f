"""How a registry's requests speak of what its tools say of themselves: learned from use, true of unused tools too."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from predictors.tools.evidence import Evidence, QueryBatch
from predictors.tools.protocol import Planes, Rows

from .products import products
from .smoothed import nearest_clauses

__all__ = ["MappedDescriptions"]

Matrix = npt.NDArray[np.float32]
_N_FOLDS: Final = 8


class MappedDescriptions:
    """request . description, and (request M) . description, where M is a map near the identity, learned from use.

    A ridge regression from the vectors of past requests to the descriptions of what they used. It says nothing of one
    tool alone: names, dates and places that requests are full of and descriptions never have are learned to be
    passed over, and what users call a thing to be what its makers call it. So a tool that nobody has used gains as
    much as the others. One map is for whole requests, one for the clause nearest to the description. Past requests are
    scored by maps that were fitted without their fold. Both planes are one pass over the descriptions; clauses say
    little that a shortlist would miss, and are compared with its candidates alone.
    """

    planes = ("dense", "mapped")
    late_planes = ("dense_clause", "mapped_clause")

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
        return self._planes(queries.vectors, queries.vectors @ self.maps_[0], tools)

    def score_candidates(self, queries: QueryBatch, tool: Rows) -> Planes:
        """What new requests' candidates would do for their best clause, shape (2, n_queries, n_candidates)."""
        said = queries.clause_vectors
        return self._of_candidates(said, said @ self.maps_[1], queries.starts, tool)

    def score_past(self, rows: Rows, stripped: Rows | None = None, tools: Rows | None = None) -> Planes:  # noqa: ARG002
        """Scores by maps that never saw the request, shape (2, n_rows, n_tools)."""
        vectors = self.past_.vectors[rows]  # (n_rows, dim)
        return self._planes(vectors, self._mapped_past(vectors, rows, kind=0), tools)

    def score_past_candidates(self, rows: Rows, tool: Rows) -> Planes:
        """The same of past requests, by maps that never saw them, shape (2, n_rows, n_candidates)."""
        past = self.past_.subset(rows)
        mapped = self._mapped_past(past.clause_vectors, rows.repeat(np.diff(past.starts)), kind=1)
        return self._of_candidates(past.clause_vectors, mapped, past.starts, tool)

    def _take(self, evidence: Evidence) -> None:
        self.past_, self.tool_vectors_ = evidence.past, evidence.tool_vectors  # (n_tools, dim)

    def _mapped_past(self, vectors: Matrix, rows: Rows, *, kind: int) -> Matrix:
        """Vectors (n, dim) of these past requests (n,), each by the map that its fold did not teach, (n, dim)."""
        if self.fold_maps_ is None:
            alike: Matrix = vectors @ self.maps_[kind]
            return alike
        mapped = np.empty_like(vectors)
        for fold, maps in enumerate(self.fold_maps_):
            held = rows % _N_FOLDS == fold  # (n,)
            mapped[held] = vectors[held] @ maps[kind]
        return mapped

    def _planes(self, said: Matrix, mapped: Matrix, tools: Rows | None) -> Planes:
        """Scores of requests as they are and as they are mapped, both (n_queries, dim)."""
        vectors = self.tool_vectors_ if tools is None else self.tool_vectors_[tools]  # (n_tools, dim)
        return products(np.concatenate([said, mapped]), vectors).reshape(2, len(said), len(vectors))

    def _of_candidates(self, said: Matrix, mapped: Matrix, starts: Rows, tool: Rows) -> Planes:
        """Scores of each request's candidates by its best clause; clauses as they are and mapped, (n_clauses, dim)."""
        found = np.empty((2, *tool.shape), dtype=np.float32)
        for row, (first, end) in enumerate(pairwise(starts.tolist())):
            clauses = np.concatenate([said[first:end], mapped[first:end]])  # (2 * n, dim)
            scores = products(clauses, self.tool_vectors_.take(tool[row], axis=0))  # (2 * n, n_candidates)
            scores.reshape(2, end - first, -1).max(axis=1, out=found[:, row])
        return found

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
