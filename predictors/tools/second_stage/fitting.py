"""Fitting a second stage: the order of things."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from .blending import Blend, FirstOpinion, beside_start, beside_trees
from .described import best_columns, directions
from .growing import grower
from .lessons import fitted_weights, held_out_linear, linear_lesson, tree_lesson
from .listwise import log_softmax
from .past import NewTools, PastRequests
from .platt import UNFITTED, fit_sigmoid
from .stage import SecondStage, StageChoice
from .starting_weights import starting_weights
from .twins import Twins

__all__ = ["fit_second_stage"]

_MIN_QUERIES: Final = 40  # fewer do not move the weights
_MIN_QUERIES_FOR_TREES: Final = 150
_MIN_QUERIES_FOR_TRUST: Final = 400  # fewer teach that twins are never needed both, and exceptions that do not hold


def fit_second_stage(
    past: PastRequests,
    *,
    names: Sequence[str],
    columns: Sequence[int],
    boosted: bool | None = None,
    twins: Twins | None = None,
    new_tools: NewTools | None = None,
) -> SecondStage:
    """Fit, and blend by cross-validation over requests: the linear score with trees, or with its start without trees.

    Args:
        past: the requests.
        names: of the candidates' features.
        columns: features for the linear score.
        boosted: True and False force trees in or out; None lets cross-validation decide, where scikit-learn is there.
        twins: of the registry, for trees of 400 requests or more; None where use is too rare to tell twins apart.
        new_tools: some of the requests once more, met with tools that nobody had used; None where they are met so
            often enough.
    """
    start = starting_weights(names, columns)  # (n_columns,)
    if len(past) < _MIN_QUERIES:
        return _unfitted(start, columns, n_queries=len(past))
    lesson = linear_lesson(past, new_tools, columns=list(columns))
    linear = held_out_linear(lesson, start)  # (n_queries + n_shown, n_candidates)
    first = FirstOpinion(past=past, linear=linear[: len(past)], start=log_softmax(lesson.x[: len(past)] @ start))
    is_enough = len(past) >= _MIN_QUERIES_FOR_TRUST
    seen_twins = twins if is_enough else None
    blend = None
    if boosted is not False and len(past) >= _MIN_QUERIES_FOR_TREES:
        grow = grower(None if is_enough else directions(names))
        if grow is not None:
            weighed = best_columns(first.linear)  # (n_queries, n_weighed)
            of_trees = tree_lesson(past, new_tools, linear, weighed=weighed, twins=seen_twins)
            blend = beside_trees(first, of_trees, weighed, grow, forced=bool(boosted))
    if blend is None:
        blend = beside_start(first)
    slope, offset = fit_sigmoid(blend.scores[past.known], past.relevant[past.known])
    weights = fitted_weights(lesson, start)
    return SecondStage(
        columns=tuple(columns),
        weights=weights if blend.trees is not None else blend.linear_share * weights + blend.start_share * start,
        trees=blend.trees,
        sees_twins=blend.trees is not None and seen_twins is not None,
        linear_share=1.0 if blend.trees is None else blend.linear_share,
        slope=slope,
        offset=offset,
        choice=_choice(first, blend),
    )


def _unfitted(start: npt.NDArray[np.float64], columns: Sequence[int], *, n_queries: int) -> SecondStage:
    slope, offset = UNFITTED
    return SecondStage(
        columns=tuple(columns),
        weights=start,
        trees=None,
        sees_twins=False,
        linear_share=1.0,
        slope=slope,
        offset=offset,
        choice=StageChoice(chosen="prior", cross_validated={}, n_queries=n_queries),
    )


def _choice(first: FirstOpinion, blend: Blend) -> StageChoice:
    options = {"prior": first.start, "linear": first.linear, **blend.alone, blend.name: blend.scores}
    reached = {name: float(first.quality(scores).mean()) for name, scores in options.items()}
    return StageChoice(chosen=blend.name, cross_validated=reached, n_queries=len(first.past))
