"""A linear classifier over all tools, on the frozen encoder (the paper's MLC with its transformer left out)."""

from collections.abc import Mapping
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from predictors.tools.aligned import at_cache_line
from predictors.tools.evidence import Evidence, QueryBatch
from predictors.tools.protocol import Planes, Rows

from .products import products
from .smoothed import SmoothedTool2Vec
from .tool2vec import own_pairs

__all__ = ["MultiLabelHead"]

Matrix = npt.NDArray[np.float32]
_N_FOLDS: Final = 4
_BATCH: Final = 128
_MIN_STEPS: Final = 300  # little usage is gone through more often


class MultiLabelHead:
    """softmax(scale * W request) against equal shares for a request's tools, W begun at `SmoothedTool2Vec`.

    Begun there, a tool without usage keeps its description's direction and only learns where it is wrong. Past
    requests are scored by heads that were fitted on the other folds of the usage.

    Source: MLC of arXiv 2409.02141, whose released code trains DeBERTa-v3 with a softmax over multi-hot targets.
    """

    planes = ("multi_label",)
    fold_weights_: list[Matrix] | None  # None until past requests are scored

    def __init__(self, *, n_epochs: int = 12, learning_rate: float = 1e-3, scale: float = 20.0) -> None:
        self.n_epochs, self.learning_rate, self.scale = n_epochs, learning_rate, scale

    def learn(self, evidence: Evidence) -> Self:
        """Fit one head on all usage; those of its folds once past requests are scored."""
        self.evidence_ = evidence
        n_past = len(evidence.past)
        self.fold_ = np.arange(n_past) % _N_FOLDS  # (n_past,) usage is in the caller's order, which means nothing
        everything = np.ones(n_past, dtype=bool)
        self.weights_ = at_cache_line(self._fit(everything))  # (n_tools, dim)
        self.fold_weights_ = None if n_past >= _N_FOLDS else []
        return self

    def fitted(self) -> dict[str, Matrix]:
        """The head; those of the folds have served their purpose."""
        return {"weights": self.weights_}

    def restore(self, evidence: Evidence, fitted: Mapping[str, Matrix]) -> Self:
        """As after `learn` on this evidence, without fitting; past requests can then be scored by the head alone."""
        self.evidence_, self.weights_, self.fold_weights_ = evidence, at_cache_line(fitted["weights"]), []
        return self

    def update(self, evidence: Evidence) -> Self:
        """Keep the rows of tools that stay as they were; new ones begin at their smoothed vector, unfitted."""
        older = self.evidence_.registry
        change = evidence.registry.change_since(older)
        fresh = {*change.added, *change.changed}
        weights = SmoothedTool2Vec().learn(evidence).unit_whole_.copy()  # (n_tools, dim)
        for row, tool in enumerate(evidence.registry):
            if tool.tool_id not in fresh:
                weights[row] = self.weights_[older.row(tool.tool_id)]
        self.evidence_, self.weights_, self.fold_weights_ = evidence, at_cache_line(weights), []
        return self

    def score(self, queries: QueryBatch, tools: Rows | None = None) -> Planes:
        """Logits of new requests over the scale, shape (1, n_queries, n_tools)."""
        return products(queries.vectors, self.weights_ if tools is None else self.weights_[tools])[None]

    def score_past(self, rows: Rows, stripped: Rows | None = None, tools: Rows | None = None) -> Planes:  # noqa: ARG002
        """Logits by heads that never saw the request, shape (1, n_rows, n_tools)."""
        vectors = self.evidence_.past.vectors[rows]  # (n_rows, dim)
        if self.fold_weights_ is None:
            self.fold_weights_ = [self._fit(self.fold_ != fold) for fold in range(_N_FOLDS)]
        if not self.fold_weights_:
            return self.score(self.evidence_.past.subset(rows), tools)
        scores = np.empty((len(rows), len(self.weights_)), dtype=np.float32)
        for fold, weights in enumerate(self.fold_weights_):
            held = self.fold_[rows] == fold
            scores[held] = vectors[held] @ weights.T
        return (scores if tools is None else scores[:, tools])[None]

    def _fit(self, chosen: npt.NDArray[np.bool_]) -> Matrix:
        """Adam on the softmax cross-entropy, mini-batches in a fixed shuffled order."""
        rows = np.flatnonzero(chosen)
        evidence = self.evidence_
        begun = _smoothed_on(evidence, chosen)
        if not len(rows):
            return begun
        weights, first, second = begun, np.zeros_like(begun), np.zeros_like(begun)
        shuffled = np.random.default_rng(0)  # a fixed order: fitting twice gives the same head
        step = 0
        n_epochs = max(self.n_epochs, -(-_MIN_STEPS * _BATCH // len(rows)))
        for epoch in range(n_epochs):
            order = shuffled.permutation(rows)
            for start in range(0, len(order), _BATCH):
                batch = order[start : start + _BATCH]
                gradient = self._gradient(weights, batch)
                step += 1
                first = 0.9 * first + 0.1 * gradient
                second = 0.999 * second + 0.001 * gradient**2
                corrected = (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
                decay = 0.5 * (1.0 + np.cos(np.pi * epoch / n_epochs))
                weights = weights - np.float32(self.learning_rate * decay) * corrected
        return weights

    def _gradient(self, weights: Matrix, batch: npt.NDArray[np.int64]) -> Matrix:
        vectors = self.evidence_.past.vectors[batch]  # (batch, dim)
        logits = np.float32(self.scale) * (vectors @ weights.T)  # (batch, n_tools)
        logits -= logits.max(axis=1, keepdims=True)
        shares = np.exp(logits)
        shares /= shares.sum(axis=1, keepdims=True)
        at, tool = own_pairs(self.evidence_, batch)
        n_own = np.bincount(at, minlength=len(batch)).astype(np.float32)  # (batch,)
        np.subtract.at(shares, (at, tool), 1.0 / n_own[at])
        gradient: Matrix = np.float32(1.0 / len(batch)) * (shares.T @ vectors)
        return gradient


def _smoothed_on(evidence: Evidence, chosen: npt.NDArray[np.bool_], strength: float = 4.0) -> Matrix:
    """Unit smoothed vectors of the tools, using the chosen requests only, shape (n_tools, dim)."""
    kept = chosen[evidence.pairs.query]
    sums: Matrix = np.float32(strength) * evidence.tool_vectors
    np.add.at(sums, evidence.pairs.tool[kept], evidence.past.vectors[evidence.pairs.query[kept]])
    unit: Matrix = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), np.float32(1e-9))
    return unit
