"""The default retriever: every channel the data supports, a shortlist, and a second look tuned on the registry.

Ranking is `rank`: channels score every tool (of large registries what `Prefilter` puts forward), `CandidateFeatures`
keeps 64, `SecondStage` judges them. Fitting is `_fit_stages`: past requests are scored leave-one-out, and where none of
them ever met a new tool some are shown one (`past_shortlists`). The steps are numbered in docs/tools.md.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from predictors.encoders.protocol import Encoder, Vectors
from predictors.errors import NotFittedError

from .candidates import CandidateFeatures, Candidates
from .channels.bm25 import Bm25
from .channels.dense import DenseDescriptions
from .channels.mapped import MappedDescriptions
from .channels.multi_label import MultiLabelHead
from .channels.neighbours import UsageNeighbours
from .channels.smoothed import SmoothedTool2Vec
from .channels.word_neighbours import WordNeighbours
from .evidence import Evidence, QueryBatch
from .past_shortlists import PastShortlists, met_with_new_tools
from .prefilter import Prefilter
from .protocol import Channel, LateChannel, Rows, ToolRanking
from .registry import ToolRegistry
from .second_stage import SecondStage, StageChoice, fit_second_stage
from .second_stage.co_use import CoUse
from .second_stage.twins import Twins
from .statistics import UsageStatistics
from .usage import ToolUsage

__all__ = ["StackedRetriever", "channels_for"]

Floats = npt.NDArray[np.float64]
_CHUNK: Final = 256
_MIN_USES_FOR_HEAD: Final = 3.0  # mean uses of a used tool; below, a classifier adds nothing to the smoothed vectors
_MIN_USES_FOR_TWINS: Final = 3.0  # below, which of several twins is needed can hardly be learned from use
_DOUBT: Final = 0.5  # log odds, of tools that come later: without it they take places from those that are in use
_MAX_HEAD_SIZE: Final = 20_000_000  # requests x tools; bounds fitting to about a minute


class StackedRetriever:
    """Words, meaning, usage and a classifier, weighed against each other by what this registry's own requests say.

    Features of past requests are computed leave-one-out, so a tool used once counts as never used by the request that
    used it: that is how the second look learns what a cold tool's scores are worth beside a warm one's. Where tools
    are level in use, losing a use would name the used tool; there every other tool loses one as well. Without labelled
    requests it ranks by fixed weights over words and meaning.

    Scores are probabilities of being needed. At most `n_candidates` tools are returned. Every tool is scored where
    there are at most `exact_up_to`; of more, those that `Prefilter` puts forward, request by request.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        n_candidates: int = 64,
        max_fitted_queries: int = 4_000,
        boosted: bool | None = None,
        exact_up_to: int = 20_000,
    ) -> None:
        self.encoder = encoder
        self.n_candidates = n_candidates
        self.max_fitted_queries = max_fitted_queries
        self.boosted = boosted
        self.exact_up_to = exact_up_to

    def fit(self, registry: ToolRegistry, usage: ToolUsage) -> Self:
        """Learn every channel, then fit and choose the second stage by cross-validation on `usage`."""
        evidence = Evidence.gather(registry, usage, self.encoder)
        self._join(evidence, [channel.learn(evidence) for channel in channels_for(evidence)])
        self.stage_, self.stage_for_new_ = self._fit_stages()
        self._know(frozenset(self.ids_))
        return self

    def restore(
        self,
        evidence: Evidence,
        channels: Sequence[Channel],
        stage: SecondStage,
        *,
        stage_for_new: SecondStage | None = None,
        new: Collection[str] = (),
        centres: Vectors | None = None,
    ) -> Self:
        """As after `fit`, from what was fitted before.

        Args:
            evidence: of the fit.
            channels: that have learned it.
            stage: what was fitted.
            stage_for_new: likewise, where tools that come later need one of their own.
            new: ids of the tools that came after the fit.
            centres: of the prefilter's lists, (n_lists, dim); None looks for some where there is a prefilter.
        """
        self._join(evidence, list(channels), centres=centres)
        self.stage_, self.stage_for_new_ = stage, stage_for_new
        self._know(frozenset(self.ids_).difference(new))
        return self

    def update(self, registry: ToolRegistry) -> Self:
        """Take in another version of the registry without fitting anything; only new and changed tools are encoded."""
        self._check_fitted()
        self._serve(self.evidence_.with_registry(registry))
        return self

    def learn(self, observed: UsageStatistics, *, now_s: float) -> Self:
        """Take in calls that were observed since fitting, in the place of those of an earlier `learn`.

        They move the smoothed vectors and the use counts, at once; neighbours, classifier and the second stage wait
        for the next fit. After `update`, call it again: sums belong to one version of the registry.
        """
        self._check_fitted()
        self._serve(self.evidence_.with_observed(*observed.sums(self.evidence_.registry, now_s=now_s)))
        return self

    def rank(self, queries: Sequence[str], k: int) -> list[ToolRanking]:
        """The k best tools for each request, at most `n_candidates`.

        Raises:
            NotFittedError: `fit` was not called.
        """
        self._check_fitted()
        if not len(self.evidence_.registry):
            return [ToolRanking(tool_ids=(), scores=np.zeros(0)) for _ in queries]
        rankings: list[ToolRanking] = []
        for start in range(0, len(queries), _CHUNK):
            rankings.extend(self._rank_chunk(QueryBatch.read(queries[start : start + _CHUNK], self.encoder), k))
        return rankings

    @property
    def choice(self) -> StageChoice:
        """What cross-validation chose on this registry.

        Raises:
            NotFittedError: `fit` was not called.
        """
        self._check_fitted()
        return self.stage_.choice

    def _join(self, evidence: Evidence, channels: list[Channel], *, centres: Vectors | None = None) -> None:
        self.channels_, self.evidence_ = channels, evidence
        self.co_use_, self.twins_ = CoUse(evidence), Twins(evidence)
        self.late_ = [channel for channel in channels if isinstance(channel, LateChannel)]
        planes = [name for channel in channels for name in channel.planes]
        late = [name for channel in self.late_ for name in channel.late_planes]
        self.ids_ = tuple(tool.tool_id for tool in evidence.registry)
        self.features_ = CandidateFeatures(planes=planes, late=late, n_candidates=self.n_candidates)
        self.prefilter_ = self._prefilter(centres)

    def _serve(self, evidence: Evidence) -> None:
        for channel in self.channels_:
            channel.update(evidence)
        self.evidence_ = evidence
        self.ids_ = tuple(tool.tool_id for tool in evidence.registry)
        self.co_use_, self.twins_ = CoUse(evidence), Twins(evidence)
        if len(evidence.registry) <= self.exact_up_to:
            self.prefilter_ = None
        else:
            self.prefilter_ = self._prefilter() if self.prefilter_ is None else self.prefilter_.update(evidence)
        self._know(self.known_)

    def _know(self, tool_ids: frozenset[str]) -> None:
        """These tools were there at the fit; those that came since and have no use yet are judged as new ones."""
        self.known_ = tool_ids
        came = np.array([tool_id not in tool_ids for tool_id in self.ids_], dtype=bool)  # (n_tools,)
        came &= self.evidence_.uses == 0
        self.new_ = came if self.stage_for_new_ is not None and came.any() else None

    def _prefilter(self, centres: Vectors | None = None) -> Prefilter | None:
        """A prefilter of the registry, None where all of it is scored."""
        if len(self.evidence_.registry) <= self.exact_up_to:
            return None
        words = next(channel for channel in self.channels_ if isinstance(channel, Bm25))
        meaning = next(channel for channel in self.channels_ if isinstance(channel, SmoothedTool2Vec))
        return Prefilter(words, meaning).learn(self.evidence_, centres=centres)

    def _rank_chunk(self, batch: QueryBatch, k: int) -> list[ToolRanking]:
        if self.prefilter_ is None:
            return self._ranked(batch, k, scored=None)
        alone = [batch.subset(np.array([row])) for row in range(len(batch))]
        return [ranking for one in alone for ranking in self._ranked(one, k, scored=self._scored(one, self.prefilter_))]

    def _scored(self, request: QueryBatch, prefilter: Prefilter) -> Rows:
        """What is put forward for one request, and always enough for a shortlist."""
        at_least = min(self.n_candidates, len(self.evidence_.registry))
        return np.union1d(prefilter.rows(request), np.arange(at_least))

    def _ranked(self, batch: QueryBatch, k: int, *, scored: Rows | None) -> list[ToolRanking]:
        candidates = self.features_.build(
            np.concatenate([channel.score(batch, scored) for channel in self.channels_]),
            uses=self.evidence_.uses[None, :],
            n_clauses=batch.starts[1:] - batch.starts[:-1],
            late=[partial(channel.score_candidates, batch) for channel in self.late_],
            scored=scored,
        )
        scores = self._scores(candidates)  # (n_queries, n_candidates)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        ids = self.ids_
        return [
            ToolRanking(tool_ids=tuple([ids[t] for t in tool[best].tolist()]), scores=of_request[best])
            for tool, of_request, best in zip(candidates.tool, scores, order, strict=True)
        ]

    def _scores(self, candidates: Candidates) -> Floats:
        """Probability that each candidate is needed, (n_queries, n_candidates)."""
        scores = self.stage_.score(candidates, self.co_use_, self.twins_)
        if self.new_ is None or self.stage_for_new_ is None or not (is_new := self.new_[candidates.tool]).any():
            return scores
        of_new = self.stage_for_new_.score(candidates, self.co_use_, self.twins_)
        return np.where(is_new, np.maximum(scores, of_new), scores)

    def _fit_stages(self) -> tuple[SecondStage, SecondStage | None]:
        """The second stage, and one for tools that come later, where no past request could tell of such."""
        evidence = self.evidence_
        rows = np.arange(len(evidence.past))
        if len(rows) > self.max_fitted_queries:  # evenly spaced: a fixed sample without a generator
            rows = np.linspace(0, len(rows) - 1, self.max_fitted_queries).astype(np.int64)
        put_forward = None if self.prefilter_ is None else partial(self._scored, prefilter=self.prefilter_)
        shortlists = PastShortlists(evidence, self.channels_, self.features_, put_forward=put_forward)
        past = shortlists.requests(rows, self.co_use_)
        fitted = partial(
            fit_second_stage,
            past,
            names=self.features_.names,
            columns=self.features_.linear_columns(),
            boosted=self.boosted,
            twins=self.twins_ if evidence.mean_uses >= _MIN_USES_FOR_TWINS else None,
        )
        new_tools = None
        if self.prefilter_ is None:
            new_tools = met_with_new_tools(evidence, self.channels_, self.features_, rows=rows, own=past.own)
        if new_tools is None or not evidence.counts.all():
            return fitted(new_tools=new_tools), None
        for_new = fitted(new_tools=new_tools)
        return fitted(), replace(for_new, offset=for_new.offset - _DOUBT)

    def _check_fitted(self) -> None:
        if not hasattr(self, "stage_"):
            raise NotFittedError(self)


def channels_for(evidence: Evidence) -> list[Channel]:
    """The channels this evidence can feed: none that need usage without it, a classifier only where uses are many."""
    if not len(evidence.past):
        return [Bm25(), DenseDescriptions(), SmoothedTool2Vec()]
    channels: list[Channel] = [Bm25(), SmoothedTool2Vec(), MappedDescriptions(), UsageNeighbours(), WordNeighbours()]
    size = len(evidence.past) * len(evidence.registry)
    if evidence.mean_uses >= _MIN_USES_FOR_HEAD and size <= _MAX_HEAD_SIZE:
        channels.append(MultiLabelHead())
    return channels
