"""What the linear score and the trees learn from, and what each says of requests that it did not see."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from .described import best_columns, with_first_opinion
from .growing import Grower
from .listwise import fit_listwise, log_softmax
from .past import NewTools, PastRequests
from .twins import Twins

__all__ = ["Lesson", "fitted_weights", "held_out_linear", "held_out_trees", "linear_lesson", "tree_lesson"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_N_FOLDS: Final = 4
_RIDGE: Final = 3.0
_N_FORESTS_TRIED: Final = 2  # enough to compare by


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Requests to learn from; those that are met a second time, with new tools, stand last."""

    x: npt.NDArray[np.float32]  # (n_taught, n_candidates, n_features)
    relevant: Bools  # (n_taught, n_candidates)
    known: Bools  # (n_taught, n_candidates)
    fold: Ints  # (n_taught,)

    def and_(self, more: "Lesson") -> "Lesson":
        """Both, `more` last."""
        return Lesson(
            x=np.concatenate([self.x, more.x]),
            relevant=np.concatenate([self.relevant, more.relevant]),
            known=np.concatenate([self.known, more.known]),
            fold=np.concatenate([self.fold, more.fold]),
        )


def linear_lesson(past: PastRequests, new_tools: NewTools | None, *, columns: list[int]) -> Lesson:
    """These columns of every candidate's features."""
    fold = _folds(len(past))
    lesson = Lesson(x=past.candidates.features[:, :, columns], relevant=past.relevant, known=past.known, fold=fold)
    if new_tools is None:
        return lesson
    x = new_tools.candidates.features[:, :, columns]
    return lesson.and_(Lesson(x=x, relevant=new_tools.relevant, known=new_tools.known, fold=fold[new_tools.row]))


def tree_lesson(
    past: PastRequests, new_tools: NewTools | None, linear: Floats, *, weighed: Ints, twins: Twins | None
) -> Lesson:
    """The best candidates, described with what the linear score says of them held out.

    Args:
        past: the requests.
        new_tools: some of them once more.
        linear: (n_queries + n_shown, n_candidates) held-out log shares.
        weighed: (n_queries, n_weighed) the best columns of the first `n_queries`.
        twins: of the registry, where trees are to see them.
    """
    fold = _folds(len(past))
    seen = with_first_opinion(
        past.candidates, linear[: len(past)], past.co_use, weighed=weighed, own=past.own, twins=twins
    )
    lesson = _of_columns(seen, past, weighed, fold)
    if new_tools is None:
        return lesson
    of_new = linear[len(past) :]  # (n_shown, n_candidates)
    best = best_columns(of_new)  # (n_shown, n_weighed)
    shown = with_first_opinion(new_tools.candidates, of_new, new_tools.co_use, weighed=best, twins=twins)
    return lesson.and_(_of_columns(shown, new_tools, best, fold[new_tools.row]))


def fitted_weights(lesson: Lesson, start: Floats, *, seen: Bools | None = None) -> Floats:
    """Listwise weights, drawn toward their start, (n_features,); of the requests seen, (n_taught,), or of all."""
    rows = np.ones(len(lesson.fold), dtype=bool) if seen is None else seen
    return fit_listwise(lesson.x[rows], lesson.relevant[rows], prior=start, ridge=_RIDGE, known=lesson.known[rows])


def held_out_linear(lesson: Lesson, start: Floats) -> Floats:
    """Log shares by weights that never saw the request, (n_taught, n_candidates)."""
    scores = np.empty(lesson.relevant.shape)
    for held in range(_N_FOLDS):
        asked = lesson.fold == held  # (n_taught,)
        scores[asked] = log_softmax(lesson.x[asked] @ fitted_weights(lesson, start, seen=~asked))
    return scores


def held_out_trees(lesson: Lesson, n_queries: int, grow: Grower) -> Floats:
    """What trees that never saw the request say of the first requests, (n_queries, n_weighed)."""
    scores = np.zeros(lesson.relevant[:n_queries].shape)
    is_judged = np.arange(len(lesson.fold)) < n_queries  # (n_taught,)
    for held in range(_N_FOLDS):
        seen = (lesson.fold != held)[:, None] & lesson.known  # (n_taught, n_weighed)
        asked = is_judged & (lesson.fold == held)  # (n_taught,)
        if not lesson.relevant[seen].any():
            continue
        trees = grow(lesson.x[seen], lesson.relevant[seen], n_forests=_N_FORESTS_TRIED)
        x = lesson.x[asked]  # (n_asked, n_weighed, n_features)
        scores[asked[:n_queries]] = trees.predict(x.reshape(-1, x.shape[2])).reshape(x.shape[:2])
    return scores


def _folds(n_queries: int) -> Ints:
    return np.arange(n_queries) % _N_FOLDS


def _of_columns(
    described: npt.NDArray[np.float32], requests: PastRequests | NewTools, columns: Ints, fold: Ints
) -> Lesson:
    """A lesson of these columns of the shortlists, (n, n_weighed), which are described already."""
    return Lesson(
        x=described,
        relevant=np.take_along_axis(requests.relevant, columns, axis=1),
        known=np.take_along_axis(requests.known, columns, axis=1),
        fold=fold,
    )
