"""The few tools worth a second look for a request, and what is known of each of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from .protocol import Planes

__all__ = ["CandidateFeatures", "Candidates"]

_TIE_DIGITS: Final = 5
_SHORTLIST_WEIGHTS: Final = {  # who is looked at twice; a name with ":share" weighs a plane's share of its best score
    "bm25": 0.19,
    "bm25_name": -0.04,
    "bm25_description": 0.15,
    "bm25_parameters": -0.02,
    "bm25_clause": 0.14,
    "name_coverage": 1.87,
    "bm25_clause_share": 0.35,
    "dense": -2.37,
    "smoothed": 0.69,
    "smoothed_clause": 0.32,
    "clause_share": 0.26,
    "mapped": 2.46,
    "neighbours": 0.37,
    "nearest": -0.22,
    "word_neighbours": 0.23,
    "word_nearest": 0.60,
    "multi_label": 1.0,
    "bm25:share": 1.83,
    "bm25_name:share": -0.44,
    "bm25_description:share": -0.68,
    "bm25_parameters:share": -0.11,
    "bm25_clause:share": -0.18,
}
"""Means of what nine public registries learn from 25, 80 and up to 400 requests each (docs/tools-studies.md). The map
begins at the description, whose own score is taken off: what counts is what it adds. `multi_label` is set by hand: few
of the nine have use enough for the classifier."""
_SHORTLIST_WEIGHTS_UNUSED: Final = {  # where nobody has used any tool, set by hand
    "bm25:share": 1.0,
    "bm25_clause:share": 0.5,
    "dense:share": 1.0,
    "dense_clause:share": 0.5,
    "smoothed:share": 2.0,
    "smoothed_clause:share": 0.5,
}
_SHARED: Final = ("bm25", "bm25_name", "bm25_description", "bm25_parameters", "bm25_clause")
_COMPARED: Final = (
    "bm25",
    "bm25_clause",
    "dense",
    "dense_clause",
    "tool2vec",
    "smoothed",
    "smoothed_clause",
    "neighbours",
    "word_neighbours",
    "multi_label",
)
_SCALE: Final = {  # brings planes to comparable size, so that one ridge fits all
    "bm25": 0.1,
    "bm25_name": 0.1,
    "bm25_description": 0.1,
    "bm25_parameters": 0.1,
    "bm25_clause": 0.1,
    "word_nearest": 0.05,
    "dense": 5.0,
    "dense_clause": 5.0,
    "tool2vec": 5.0,
    "smoothed": 5.0,
    "smoothed_clause": 5.0,
    "mapped": 5.0,
    "mapped_clause": 5.0,
    "nearest": 2.0,
    "multi_label": 5.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """The shortlists of several requests; where the registry is smaller than a shortlist there are fewer columns."""

    tool: npt.NDArray[np.int64]  # (n_queries, n_candidates) rows of the registry
    features: npt.NDArray[np.float32]  # (n_queries, n_candidates, n_features)


class CandidateFeatures:
    """Turns planes of scores over the whole registry into a shortlist with features.

    Features of a candidate: every plane; lexical planes as a share of the request's best; the gap to the best and the
    rank for the planes that compare; how often the tool was used (log), and whether ever. Late planes are known of
    candidates alone, and their best is the best candidate's.
    """

    def __init__(self, *, planes: Sequence[str], late: Sequence[str] = (), n_candidates: int = 64) -> None:
        self.planes = (*planes, *late)
        self.n_candidates = n_candidates
        self.shared = tuple(name for name in self.planes if name in _SHARED)
        self.compared = tuple(name for name in self.planes if name in _COMPARED)
        self.names = (
            *self.planes,
            *(f"{name}:share" for name in self.shared),
            *(f"{name}:gap" for name in self.compared),
            *(f"{name}:rank" for name in self.compared),
            "log_uses",
            "cold",
            "n_clauses",
        )
        self._log_rank = np.log1p(np.arange(n_candidates)).astype(np.float32)  # (n_candidates,)
        self._shared_rows = np.array([self.planes.index(name) for name in self.shared], dtype=np.int64)
        self._compared_rows = np.array([self.planes.index(name) for name in self.compared], dtype=np.int64)
        scale = np.array([_SCALE.get(name, 1.0) for name in self.planes], dtype=np.float32)
        self._scale = scale[:, None, None]  # (n_planes, 1, 1)
        weights = _SHORTLIST_WEIGHTS if "neighbours" in self.planes else _SHORTLIST_WEIGHTS_UNUSED
        of_score = [[weights.get(name, 0.0) * _SCALE.get(name, 1.0)] for name in planes]
        self._weight = np.array(of_score, dtype=np.float32)  # (n_planes without late ones, 1)
        of_share = [[weights.get(f"{name}:share", 0.0)] for name in planes]
        self._share_weight = np.array(of_share, dtype=np.float32)  # as `_weight`
        self._compared_scale = self._scale[self._compared_rows]  # (n_compared, 1, 1)
        sizes = (len(self.planes), len(self.shared), len(self.compared), len(self.compared))
        self._parts = [slice(*ends) for ends in pairwise(np.cumsum(sizes).tolist())]  # shares, gaps, ranks

    def linear_columns(self) -> list[int]:
        """Features for a linear model: without ranks and gaps, which a softmax over candidates cannot use."""
        return [i for i, name in enumerate(self.names) if not name.endswith((":gap", ":rank")) and name != "n_clauses"]

    def build(
        self,
        planes: Planes,
        *,
        uses: npt.NDArray[np.int64],
        n_clauses: npt.NDArray[np.int64],
        late: Sequence[Callable[[npt.NDArray[np.int64]], Planes]] = (),
        scored: npt.NDArray[np.int64] | None = None,
    ) -> Candidates:
        """Shortlist and describe.

        Args:
            planes: (n_planes, n_queries, n_tools or n_scored), without late ones.
            uses: (n_queries, n_tools) or (1, n_tools), how often each tool was used, without the request itself.
            n_clauses: (n_queries,)
            late: of each late channel, the scores (n_late_planes, n_queries, k) of candidates (n_queries, k).
            scored: (n_scored,) rows of the registry that the planes hold; None for all.
        """
        best = np.maximum(planes.max(axis=2), np.float32(1e-6))  # (n_planes, n_queries)
        columns = self._shortlist(planes, best)  # (n_queries, k)
        tool = columns if scored is None else scored[columns]  # (n_queries, k)
        at = np.arange(len(tool))[:, None]  # (n_queries, 1)
        picked = planes[:, at, columns]  # (n_planes, n_queries, k)
        if late:
            known_late = np.concatenate([scores(tool) for scores in late])  # (n_late, n_queries, k)
            best = np.concatenate([best, np.maximum(known_late.max(axis=2), np.float32(1e-6))])
            picked = np.concatenate([picked, known_late])
        picked = picked.round(_TIE_DIGITS)  # a batch's last bits must not break ties that a lone request has
        uses_picked = uses[at if len(uses) == len(tool) else 0, tool]  # (n_queries, k)
        compared = picked.take(self._compared_rows, axis=0)  # (n_compared, n_queries, k)
        share, gap, rank = self._parts
        features = np.empty((len(self.names), *tool.shape), dtype=np.float32)  # (n_features, n_queries, k)
        np.multiply(picked, self._scale, out=features[: len(picked)])
        of_best = best.take(self._shared_rows, axis=0)[:, :, None]  # (n_shared, n_queries, 1)
        np.divide(picked.take(self._shared_rows, axis=0), of_best, out=features[share])
        np.subtract(compared, best.take(self._compared_rows, axis=0)[:, :, None], out=features[gap])
        features[gap] *= self._compared_scale
        self._write_ranks(compared, features[rank])
        features[-3] = np.log1p(uses_picked)
        features[-2] = uses_picked == 0
        features[-1] = n_clauses[:, None]
        return Candidates(tool=tool, features=np.ascontiguousarray(features.transpose(1, 2, 0)))

    def _write_ranks(self, compared: Planes, ranks: Planes) -> None:
        """log(1 + rank), 0 for the best, along the last axis; both (n_compared, n_queries, k), `ranks` contiguous."""
        order = (-compared).argsort(axis=2, kind="stable")
        order += np.arange(0, order.size, order.shape[2]).reshape(*order.shape[:2], 1)  # places among all
        ranks.reshape(-1)[order] = self._log_rank[: order.shape[2]]

    def _shortlist(self, planes: Planes, best: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        n_tools = planes.shape[2]
        k = min(self.n_candidates, n_tools)
        weight = self._weight + self._share_weight / best  # (n_planes, n_queries)
        fused = np.einsum("pq,pqt->qt", weight, planes)  # (n_queries, n_tools)
        if k == n_tools:
            return np.broadcast_to(np.arange(n_tools), fused.shape)
        return np.argpartition(-fused, k - 1, axis=1)[:, :k]
