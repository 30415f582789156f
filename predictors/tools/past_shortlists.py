"""Shortlists of past requests, to learn from: each as if it had never been made, or as if its tools were new."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from .candidates import CandidateFeatures, Candidates
from .evidence import Evidence, QueryBatch
from .protocol import Channel, LateChannel, Planes, Rows
from .second_stage import NewTools, PastRequests
from .second_stage.co_use import CoUse

__all__ = ["PastShortlists", "met_with_new_tools", "one_pair_each"]

_N_USE_FOLDS: Final = 8
_CHUNK: Final = 64  # requests that share what is stripped from the tools they did not use
_ENOUGH_NEW: Final = 0.05  # of uses are of a tool used once: from there on past requests meet new tools often enough
_NEW_TOOLS: Final = 0.2  # of the used tools
_MET_WITH_NEW: Final = 0.05  # of the requests; a tenth and a fifth do no more for new tools and more harm to others


class PastShortlists:
    """Leave-one-out: what every channel would have said of a past request without it."""

    def __init__(
        self,
        evidence: Evidence,
        channels: Sequence[Channel],
        features: CandidateFeatures,
        *,
        put_forward: Callable[[QueryBatch], Rows] | None = None,
    ) -> None:
        """Channels have learned the evidence; `put_forward` tells what to score for one request, None scores all."""
        self._evidence, self._channels, self._features, self._put_forward = evidence, channels, features, put_forward
        self._late = [channel for channel in channels if isinstance(channel, LateChannel)]
        self._uses_by_fold = _uses_by_fold(evidence)  # (folds, n_tools)

    def requests(self, rows: Rows, co_use: CoUse) -> PastRequests:
        """These rows of the usage, with what is known of their candidates."""
        pairs = self._evidence.pairs
        used = np.split(pairs.tool, np.searchsorted(pairs.query, np.arange(1, len(self._evidence.past))))
        own = [used[row] for row in rows]
        candidates = self._shortlists(rows)
        relevant = _is_used(candidates.tool, own)
        known = relevant | (rows[:, None] <= self._evidence.labelled_until[candidates.tool])
        return PastRequests(candidates=candidates, relevant=relevant, known=known, own=own, co_use=co_use)

    def _shortlists(self, rows: Rows) -> Candidates:
        if not len(rows):
            empty = np.zeros((0, self._features.n_candidates, len(self._features.names)), dtype=np.float32)
            return Candidates(tool=np.zeros(empty.shape[:2], dtype=np.int64), features=empty)
        if self._put_forward is None:
            parts = [self._chunk(rows[at : at + _CHUNK], scored=None) for at in range(0, len(rows), _CHUNK)]
        else:
            alone = [np.array([row]) for row in rows]
            parts = [self._chunk(row, scored=self._put_forward(self._evidence.past.subset(row))) for row in alone]
        return Candidates(
            tool=np.concatenate([part.tool for part in parts]),
            features=np.concatenate([part.features for part in parts]),
        )

    def _chunk(self, rows: Rows, *, scored: Rows | None) -> Candidates:
        evidence = self._evidence
        levelled, stripped = evidence.levelled, None  # (n_tools,)
        lost = self._uses_by_fold[rows % _N_USE_FOLDS]  # (n_rows, n_tools)
        if levelled.any():
            drawn = one_pair_each(evidence, np.random.default_rng(int(rows[0])))
            stripped = np.where(levelled, drawn, -1)  # (n_tools,)
            lost = np.where(levelled, 1, lost)
        planes: Planes = np.concatenate([channel.score_past(rows, stripped, scored) for channel in self._channels])
        return self._features.build(
            planes,
            uses=np.maximum(evidence.counts - lost, 0),
            n_clauses=np.diff(evidence.past.starts)[rows],
            late=[partial(channel.score_past_candidates, rows) for channel in self._late],
            scored=scored,
        )


def met_with_new_tools(
    evidence: Evidence, channels: Sequence[Channel], features: CandidateFeatures, *, rows: Rows, own: Sequence[Rows]
) -> NewTools | None:
    """Some of the requests as if some tools had not been used by anybody; None where past requests meet such often.

    Leave-one-out makes a tool new to a request where nobody else used it. Where nearly all tools are used often no
    past request is met so, and the stage would learn that what nobody used is not needed: a tool that is added
    could hardly be found. Channels learn anew for it, without any request that used one of the new tools.

    Args:
        evidence: all there is.
        channels: like the ones to learn anew.
        features: of the shortlists.
        rows: of the usage, those that the stage is fitted on.
        own: the tools that each of them used.
    """
    pairs = evidence.pairs
    if np.count_nonzero(evidence.counts == 1) >= _ENOUGH_NEW * len(pairs.tool):
        return None
    drawn = np.random.default_rng(0)  # fixed: fitting twice gives the same stage
    used = np.flatnonzero(evidence.counts)
    new = drawn.permutation(used)[: round(_NEW_TOOLS * len(used))]
    asking = np.unique(pairs.query[np.isin(pairs.tool, new)])  # rows of the usage
    met = drawn.permutation(np.flatnonzero(np.isin(rows, asking)))[: round(_MET_WITH_NEW * len(rows))]
    if not len(met) or len(asking) == len(evidence.past):
        return None
    before = evidence.without(asking)
    anew = [type(channel)().learn(before) for channel in channels]
    batch = evidence.past.subset(rows[met])
    candidates = features.build(
        np.concatenate([channel.score(batch) for channel in anew]),
        uses=before.uses[None, :],
        n_clauses=np.diff(batch.starts),
        late=[partial(channel.score_candidates, batch) for channel in anew if isinstance(channel, LateChannel)],
    )
    relevant = _is_used(candidates.tool, [own[row] for row in met])
    known = relevant | (rows[met][:, None] <= evidence.labelled_until[candidates.tool])
    return NewTools(candidates=candidates, relevant=relevant, known=known, row=met, co_use=CoUse(before))


def one_pair_each(evidence: Evidence, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """One of each tool's pairs in `evidence.pairs`, drawn at random; -1 for a tool without any, shape (n_tools,)."""
    by_tool = np.argsort(evidence.pairs.tool, kind="stable")  # (n_pairs,)
    first = np.cumsum(evidence.counts) - evidence.counts  # (n_tools,)
    drawn = first + (rng.random(len(evidence.counts)) * evidence.counts).astype(np.int64)
    used = evidence.counts > 0
    pairs = np.full(len(evidence.counts), -1, dtype=np.int64)
    pairs[used] = by_tool[drawn[used]]
    return pairs


def _is_used(tool: Rows, own: Sequence[Rows]) -> npt.NDArray[np.bool_]:
    """Which candidates each request used, (n_requests, n_candidates)."""
    used = [np.isin(candidates, mine) for candidates, mine in zip(tool, own, strict=True)]
    return np.array(used, dtype=bool).reshape(tool.shape)


def _uses_by_fold(evidence: Evidence) -> npt.NDArray[np.int64]:
    """Uses of each tool within each fold of past requests, shape (folds, n_tools).

    Counts leave out a request's whole fold, not the request alone: trees would learn which count is one short.
    """
    pairs, n_tools = evidence.pairs, len(evidence.registry)
    cells = (pairs.query % _N_USE_FOLDS) * n_tools + pairs.tool
    return np.bincount(cells, minlength=_N_USE_FOLDS * n_tools).reshape(_N_USE_FOLDS, n_tools)
