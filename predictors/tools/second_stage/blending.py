"""How much each opinion of past requests' candidates counts beside the others."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from .described import with_the_rest
from .growing import Grower
from .lessons import Lesson, held_out_trees
from .listwise import log_softmax
from .past import PastRequests
from .shares import believed, nearness_to_the_best
from .trees import TreeEnsemble

__all__ = ["Blend", "FirstOpinion", "beside_start", "beside_trees"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_N_FORESTS: Final = 3  # their mean is steadier than any
_ENOUGH_HITS: Final = 1_000  # requests from which on what serves best says more of shares than what is likeliest
_LINEAR_SHARES: Final = (0.0, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0)  # that are tried; the rest is the trees'
_EQUALLY: Final = (0.5, 0.5)  # linear, trees
_LINEAR_ALONE: Final = (1.0, 0.0)  # linear, start


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstOpinion:
    """What was thought of past requests' candidates before there were trees."""

    past: PastRequests
    linear: Floats  # (n_queries, n_candidates) log shares by weights that never saw the request
    start: Floats  # (n_queries, n_candidates) log shares by the starting weights

    def quality(self, scores: Floats) -> Floats:
        """How well each request is served by scores of its candidates, in [0, 1], (n_queries,)."""
        past = self.past
        return _quality(np.where(past.known, scores, -np.inf), past.relevant, past.n_relevant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blend:
    """Opinions put together."""

    name: str
    scores: Floats  # (n_queries, n_candidates), held out
    linear_share: float
    start_share: float
    trees: TreeEnsemble | None  # their share is in their values
    alone: dict[str, Floats]  # opinions that are first met here, each by itself


def beside_trees(first: FirstOpinion, lesson: Lesson, weighed: Ints, grow: Grower, *, forced: bool) -> Blend | None:
    """The linear score and trees; None where trees deserve no share, unless they are forced.

    Shares are a mean of the likeliest and of those that serve held-out requests best. The latter is what is wanted, yet
    of few requests only few are hit with one share and missed with another, while each says which share is likelier.

    Args:
        first: of the requests.
        lesson: what trees learn from, these requests first, (n_taught, n_weighed, n_described).
        weighed: (n_queries, n_weighed)
        grow: grows the trees.
        forced: whether trees must have a share, an equal one if need be.
    """
    n_queries = len(weighed)
    opinion = held_out_trees(lesson, n_queries, grow)  # (n_queries, n_weighed)
    linear = np.take_along_axis(first.linear, weighed, axis=1)  # (n_queries, n_weighed)
    likeliest = believed((linear, opinion), lesson.relevant[:n_queries], lesson.known[:n_queries], begun=_EQUALLY)
    tried = [with_the_rest((1.0 - share) * opinion, first.linear, weighed, share=share) for share in _LINEAR_SHARES]
    nearness = nearness_to_the_best([first.quality(scores) for scores in tried])  # (n_tried,)
    by_hits = float(nearness @ np.array(_LINEAR_SHARES))
    of_linear = by_hits + (likeliest[0] / sum(likeliest) - by_hits) * _ENOUGH_HITS / (_ENOUGH_HITS + n_queries)
    of_trees = 1.0 - of_linear
    if of_trees <= 0.0:
        if not forced:
            return None
        of_linear, of_trees = _EQUALLY
    return Blend(
        name=f"{of_linear:.2f} linear + {of_trees:.2f} trees",
        scores=with_the_rest(of_trees * opinion, first.linear, weighed, share=of_linear),
        linear_share=of_linear,
        start_share=0.0,
        trees=grow(lesson.x[lesson.known], lesson.relevant[lesson.known], n_forests=_N_FORESTS).scaled(of_trees),
        alone={"trees": with_the_rest(opinion, first.linear, weighed, share=0.0)},
    )


def beside_start(first: FirstOpinion) -> Blend:
    """The linear score and the one it began at, which few requests are too few to leave altogether."""
    opinions = (first.linear, first.start)
    of_linear, of_start = believed(opinions, first.past.relevant, first.past.known, begun=_LINEAR_ALONE)
    return Blend(
        name=f"{of_linear:.2f} linear + {of_start:.2f} prior",
        scores=log_softmax(of_linear * first.linear + of_start * first.start),
        linear_share=of_linear,
        start_share=of_start,
        trees=None,
        alone={},
    )


def _quality(scores: Floats, relevant: npt.NDArray[np.bool_], n_relevant: Ints) -> Floats:
    """Mean of recall@5 and nDCG@10 of each request, (n_queries,)."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    hit = np.take_along_axis(relevant, order, axis=1)  # (n_queries, <=10)
    discount = 1.0 / np.log2(np.arange(2, 12))  # (10,)
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(n_relevant, 10)]
    recall = hit[:, :5].sum(axis=1) / n_relevant
    gain = (hit * discount[: hit.shape[1]]).sum(axis=1) / ideal
    judged: Floats = (recall + gain) / 2.0
    return judged
