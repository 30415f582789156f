"""Tool2Vec: a tool is the mean of the requests that used it."""

from typing import Self

import numpy as np
import numpy.typing as npt

from predictors.tools.evidence import Evidence, QueryBatch
from predictors.tools.protocol import Planes, Rows

__all__ = ["Tool2Vec"]


class Tool2Vec:
    """e(t) = mean of the unit vectors of the requests that used t; score = e(t) . request.

    No description enters, except for tools that were never used, which keep their description's vector.

    Source: Moon et al., Efficient and Scalable Estimation of Tool Representations in Vector Space, arXiv 2409.02141.
    """

    planes = ("tool2vec",)

    def learn(self, evidence: Evidence) -> Self:
        """Sum the vectors of each tool's requests."""
        self.evidence_ = evidence
        self.sums_ = usage_sums(evidence)  # (n_tools, dim)
        counts = evidence.counts[:, None]  # (n_tools, 1)
        self.vectors_ = np.where(counts > 0, self.sums_ / np.maximum(counts, 1), evidence.tool_vectors).astype(
            np.float32
        )
        return self

    def update(self, evidence: Evidence) -> Self:
        """The same as `learn`: sums over usage are all there is to it."""
        return self.learn(evidence)

    def score(self, queries: QueryBatch, tools: Rows | None = None) -> Planes:
        """Scores of new requests, shape (1, n_queries, n_tools)."""
        return (queries.vectors @ (self.vectors_ if tools is None else self.vectors_[tools]).T)[None]

    def score_past(self, rows: Rows, stripped: Rows | None = None, tools: Rows | None = None) -> Planes:  # noqa: ARG002
        """Scores with each request's own vector taken out of the means it is in, shape (1, n_rows, n_tools)."""
        evidence = self.evidence_
        vectors = evidence.past.vectors[rows]  # (n_rows, dim)
        scores = vectors @ self.vectors_.T  # (n_rows, n_tools)
        row, tool = own_pairs(evidence, rows)
        others = evidence.counts[tool] - 1  # (n_own,)
        own = np.einsum("ij,ij->i", vectors[row], self.sums_[tool]) - 1.0
        cold = np.einsum("ij,ij->i", vectors[row], evidence.tool_vectors[tool])
        scores[row, tool] = np.where(others > 0, own / np.maximum(others, 1), cold)
        return (scores if tools is None else scores[:, tools])[None].astype(np.float32)


def usage_sums(evidence: Evidence) -> npt.NDArray[np.float32]:
    """Sum of the vectors of the requests that used each tool, shape (n_tools, dim)."""
    sums = np.zeros_like(evidence.tool_vectors)
    np.add.at(sums, evidence.pairs.tool, evidence.past.vectors[evidence.pairs.query])
    return sums


def own_pairs(evidence: Evidence, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The pairs of past requests: position in `rows`, and row of the tool, as two arrays."""
    place = np.full(len(evidence.past), -1, dtype=np.int64)  # (n_past,)
    place[rows] = np.arange(len(rows))
    at = place[evidence.pairs.query]  # (n_pairs,)
    return at[at >= 0], evidence.pairs.tool[at >= 0]
