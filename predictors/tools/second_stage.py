"""The second look: which of a request's candidates it needs, judged from all evidence together.

Fitting (`fit_second_stage`) goes in this order, each part learned from what the one before says of held-out requests:

1. a listwise linear score, begun at published weights (`PAST_WEIGHTS`, `COLD_WEIGHTS`);
2. gradient-boosted trees over the best 32 candidates, which see that score, co-use and twins (`with_first_opinion`);
3. shares of the two, or without trees of the linear score and its start (`_beside_trees`, `_beside_prior`);
4. Platt's sigmoid, which makes scores probabilities.

Serving is `SecondStage.score`: arrays in, probabilities out, no scikit-learn. docs/tools.md numbers the steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from .candidates import Candidates
from .co_use import CoUse
from .listwise import fit_listwise, log_softmax
from .shares import believed, nearness_to_the_best
from .trees import TreeEnsemble
from .twins import Twins

__all__ = [
    "COLD_WEIGHTS",
    "PAST_WEIGHTS",
    "NewTools",
    "SecondStage",
    "StageChoice",
    "fit_second_stage",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

COLD_WEIGHTS: Final = {  # for a registry that nobody has used
    "bm25": 0.36,
    "bm25_name": 0.25,
    "bm25_description": 0.04,
    "bm25_parameters": -0.05,
    "bm25_clause": 0.16,
    "name_coverage": 1.07,
    "bm25_clause_share": 0.1,
    "smoothed": 0.35,
    "smoothed_clause": 0.85,
    "clause_share": 0.12,
    "bm25:share": 1.19,
    "bm25_name:share": -0.17,
    "bm25_description:share": -0.17,
    "bm25_parameters:share": 0.41,
    "bm25_clause:share": 0.48,
}
PAST_WEIGHTS: Final = {  # where there is use: what few requests leave as it is, and many move
    "bm25": 0.23,
    "bm25_name": 0.56,
    "bm25_description": 0.06,
    "bm25_parameters": -0.11,
    "bm25_clause": 0.13,
    "name_coverage": 1.03,
    "bm25_clause_share": 0.25,
    "dense": -0.72,
    "dense_clause": -0.1,
    "smoothed": 0.86,
    "smoothed_clause": 0.55,
    "clause_share": 0.41,
    "neighbours": 0.74,
    "nearest": 0.02,
    "word_neighbours": 0.77,
    "word_nearest": 0.24,
    "bm25:share": 0.74,
    "bm25_name:share": -0.3,
    "bm25_description:share": -0.4,
    "bm25_parameters:share": 0.34,
    "bm25_clause:share": 0.09,
    "log_uses": 0.07,
    "cold": 0.91,
    "multi_label": 1.0,
}
"""Both sets: one listwise fit over at most 400 train requests of each of nine public registries (`docs/tools.md` names
them), the first drawn back toward weights set by hand, the second with `multi_label` set by hand. `smoothed` of a
tool that nobody has used is the cosine with its description."""
_RIDGE: Final = 3.0
_N_FOLDS: Final = 4
_MIN_QUERIES: Final = 40  # fewer do not move the weights
_MIN_QUERIES_FOR_TREES: Final = 150
_N_FORESTS: Final = 3  # each sees other halves of the features; their mean is steadier than any
_N_FORESTS_TRIED: Final = 2  # while cross-validating: enough to compare by
_N_WEIGHED: Final = 32  # candidates, best by the linear score, that trees look at
_LOG_RANK: Final = np.log1p(np.arange(_N_WEIGHED))  # (n_weighed,)
_N_ROUNDS: Final = 100
_N_LEAVES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class StageChoice:
    """What cross-validation chose, and what every option reached on queries it was not fitted on."""

    chosen: str  # how much each opinion counts
    cross_validated: dict[str, float]  # option -> mean of recall@5 and nDCG@10, in [0, 1]
    n_queries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondStage:
    """A listwise linear score, and boosted trees that see it beside co-use, blended; then a probability.

    score = linear_share * log share of the linear score + trees, whose values have their own share in them. Trees look
    at the 32 best by the linear score; the others follow below the last of those, in its order. The probability is that
    of a sigmoid fitted on held-out scores, so that one threshold means the same on every registry that has labelled
    requests.
    """

    columns: tuple[int, ...]  # features that the linear score sees
    weights: Floats  # (n_columns,)
    trees: TreeEnsemble | None
    sees_twins: bool  # whether trees look at `Twins` too
    linear_share: float
    slope: float
    offset: float
    choice: StageChoice

    def score(self, candidates: Candidates, co_use: CoUse, twins: Twins) -> Floats:
        """Probability that each candidate is needed, shape (n_queries, n_candidates)."""
        seen = candidates.features.take(self.columns, axis=2)  # (n_queries, n_candidates, n_columns)
        linear = log_softmax(seen @ self.weights)  # (n_queries, n_candidates)
        raw = self.linear_share * linear
        if self.trees is not None:
            weighed = _best_columns(linear)  # (n_queries, n_weighed)
            seen_twins = twins if self.sees_twins else None
            described = with_first_opinion(candidates, linear, co_use, weighed=weighed, twins=seen_twins)
            opinion = self.trees.predict(described.reshape(-1, described.shape[2])).reshape(weighed.shape)
            raw = _with_the_rest(opinion, linear, weighed, share=self.linear_share)
        probability: Floats = 1.0 / (1.0 + np.exp(-(self.slope * raw + self.offset).clip(-60.0, 60.0)))
        return probability


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTools:
    """Past requests as they would have been met had some of their tools been new: learned from, never judged by."""

    candidates: Candidates  # (n_shown, ...)
    relevant: Bools  # (n_shown, n_candidates)
    known: Bools  # (n_shown, n_candidates)
    row: Ints  # (n_shown,) of the same requests among all that the stage is fitted on
    co_use: CoUse  # without those requests


def fit_second_stage(
    candidates: Candidates,
    relevant: Bools,
    n_relevant: Ints,
    co_use: CoUse,
    *,
    names: Sequence[str],
    columns: Sequence[int],
    own: Sequence[Ints],
    known: Bools | None = None,
    boosted: bool | None = None,
    twins: Twins | None = None,
    new_tools: NewTools | None = None,
) -> SecondStage:
    """Fit, and blend by cross-validation over requests: the linear score with trees, or with its start without trees.

    Args:
        candidates: of past requests, with leave-one-out features.
        relevant: (n_queries, n_candidates)
        n_relevant: (n_queries,) tools each request used, in the shortlist or not.
        co_use: of the same usage.
        names: of the features.
        columns: features for the linear score.
        own: the tools each request used, so that co-use does not count it.
        known: (n_queries, n_candidates) False where a missing label says nothing (`Evidence.labelled_until`); such
            candidates are neither learned from nor judged. None for all True.
        boosted: True and False force trees in or out; None lets cross-validation decide, where scikit-learn is there.
        twins: of the registry, for trees of 400 requests or more; None where use is too rare to tell twins apart.
        new_tools: some of the requests once more, met with tools that nobody had used; None where they are met so
            often enough.
    """
    prior = _starting_weights(names, columns)  # (n_columns,)
    n_queries = len(relevant)
    if n_queries < _MIN_QUERIES:
        choice = StageChoice(chosen="prior", cross_validated={}, n_queries=n_queries)
        return _stage(columns, prior, trees=None, sees_twins=False, share=1.0, calibration=_UNFITTED, choice=choice)
    known = np.ones(relevant.shape, dtype=bool) if known is None else known
    fold = np.arange(n_queries) % _N_FOLDS  # (n_queries,)
    taught = _linear_lesson(candidates, relevant, known, fold, columns=list(columns), new_tools=new_tools)
    linear = _held_out_linear(taught, prior)  # (n_queries + n_shown, n_candidates)
    past = _Past(
        relevant=relevant,
        n_relevant=n_relevant,
        known=known,
        fold=fold,
        linear=linear[:n_queries],
        prior=log_softmax(taught.x[:n_queries] @ prior),
    )
    twins = twins if n_queries >= _MIN_QUERIES_FOR_TRUST else None  # fewer teach that twins are never needed both
    monotonic = directions(names) if n_queries < _MIN_QUERIES_FOR_TRUST else None
    grow = _grower(monotonic) if boosted is not False and n_queries >= _MIN_QUERIES_FOR_TREES else None
    blend = None
    if grow is not None:
        weighed = _best_columns(past.linear)  # (n_queries, n_weighed)
        described = with_first_opinion(candidates, past.linear, co_use, weighed=weighed, own=own, twins=twins)
        lesson = _tree_lesson(
            described, past, weighed, linear_of_new=linear[n_queries:], new_tools=new_tools, twins=twins
        )
        blend = _beside_trees(past, lesson, weighed, grow, forced=bool(boosted))
    if blend is None:
        blend = _beside_prior(past)
    weights = fit_listwise(taught.x, taught.relevant, prior=prior, ridge=_RIDGE, known=taught.known)
    options = {"prior": past.prior, "linear": past.linear, **blend.alone, blend.name: blend.scores}
    reached = {name: float(past.quality(scores).mean()) for name, scores in options.items()}
    return _stage(
        columns,
        weights if blend.trees is not None else blend.linear_share * weights + blend.prior_share * prior,
        trees=blend.trees,
        sees_twins=blend.trees is not None and twins is not None,
        share=1.0 if blend.trees is None else blend.linear_share,
        calibration=_sigmoid(blend.scores[known], relevant[known]),
        choice=StageChoice(chosen=blend.name, cross_validated=reached, n_queries=n_queries),
    )


def _starting_weights(names: Sequence[str], columns: Sequence[int]) -> Floats:
    """The published weights of these features, (n_columns,)."""
    published = PAST_WEIGHTS if "neighbours" in names else COLD_WEIGHTS
    return np.array([published.get(names[column], 0.0) for column in columns])


def with_first_opinion(
    candidates: Candidates,
    linear: Floats,
    co_use: CoUse,
    *,
    weighed: Ints,
    own: Sequence[Ints] | None = None,
    twins: Twins | None = None,
) -> npt.NDArray[np.float32]:
    """Features with the linear score, its gap and rank, co-use, and twins, (n_queries, n_weighed, n_features + 5 or 8).

    Args:
        candidates: the shortlists.
        linear: (n_queries, n_candidates) log shares.
        co_use: of the registry.
        weighed: (n_queries, n_weighed) columns of the shortlists to describe, those of `_best_columns`.
        own: the tools each past request used; None for new requests.
        twins: of the registry; None leaves them out.
    """
    shares = np.exp(linear)  # (n_queries, n_candidates)
    support = np.stack(
        [
            co_use.support(shares[row], candidates.tool[row], own=None if own is None else own[row])
            for row in range(len(linear))
        ]
    )  # (n_queries, n_candidates)
    rows = np.arange(len(linear))[:, None]  # (n_queries, 1)
    best = linear[rows, weighed]  # (n_queries, n_weighed)
    n_features = candidates.features.shape[2]
    n_described = n_features + 5 + (0 if twins is None else twins.n_features)
    described = np.empty((*weighed.shape, n_described), dtype=np.float32)
    described[:, :, :n_features] = candidates.features[rows, weighed]
    described[:, :, n_features] = best
    described[:, :, n_features + 1] = best - best[:, :1]
    described[:, :, n_features + 2] = _LOG_RANK[: weighed.shape[1]]  # best first, as they are
    described[:, :, n_features + 3] = support[rows, weighed]
    described[:, :, n_features + 4] = _log_rank(support)[rows, weighed]
    if twins is not None:
        for row, tool in enumerate(candidates.tool[rows, weighed]):
            described[row, :, n_features + 5 :] = twins.describe(tool, shares[row, weighed[row]])
    return described


def _best_columns(linear: Floats) -> Ints:
    """The columns of the highest linear scores, best first, (n_queries, at most 32)."""
    return np.argsort(-linear, axis=1, kind="stable")[:, :_N_WEIGHED]


def _with_the_rest(opinion: Floats, linear: Floats, weighed: Ints, *, share: float) -> Floats:
    """Blended scores of the candidates that were weighed; the rest lie below the lowest, (n_queries, n_candidates)."""
    rows = np.arange(len(linear))[:, None]  # (n_queries, 1)
    best = linear[rows, weighed]  # (n_queries, n_weighed)
    blended = opinion + share * best
    lowest = blended.min(axis=1, keepdims=True) - best[:, -1:]  # (n_queries, 1)
    scores: Floats = lowest + linear - _BELOW  # falls with the linear score, from just below the lowest
    scores[rows, weighed] = blended
    return scores


_BELOW: Final = 1e-6


class Grower(Protocol):
    """Grows the mean of some forests."""

    def __call__(self, features: npt.NDArray[np.float32], relevant: Bools, *, n_forests: int) -> TreeEnsemble:
        """From (n_rows, n_features) and (n_rows,)."""
        ...


_UNFITTED: Final = (1.0, 0.0)  # the share itself


_UNDIRECTED: Final = ("log_uses", "cold", "n_clauses")  # more of these is neither better nor worse by itself


def directions(names: Sequence[str]) -> list[int]:
    """Which way each of the features `with_first_opinion` describes may move a tree's score: 1 up, -1 down, 0 either.

    More evidence never makes a tool less likely, all else equal. Free of this, trees of a few hundred requests learn
    exceptions that do not hold, most of all about tools without use; trees of more requests learn some that do.
    """
    of_features = [0 if name in _UNDIRECTED else -1 if name.endswith(":rank") else 1 for name in names]
    of_opinion = [1, 1, -1, 1, -1]  # the linear score, its gap and rank, co-use and its rank
    return of_features + of_opinion


def _grower(monotonic: Sequence[int] | None) -> Grower | None:
    """Grows trees with scikit-learn; None where it is not installed, since serving does without."""
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - for fitting only
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415 - comes with it
    except ImportError:
        return None

    def grow(features: npt.NDArray[np.float32], relevant: Bools, *, n_forests: int) -> TreeEnsemble:
        with threadpool_limits(
            limits=1
        ):  # the trees are small: threads would wait for each other, tenfold on a busy core
            models = [
                HistGradientBoostingClassifier(
                    max_iter=_N_ROUNDS,
                    learning_rate=0.1,
                    max_leaf_nodes=_N_LEAVES,
                    min_samples_leaf=30,
                    l2_regularization=3.0,
                    max_features=0.5,
                    monotonic_cst=monotonic,
                    early_stopping=False,
                    random_state=seed,
                ).fit(features, relevant)
                for seed in range(n_forests)
            ]
        return TreeEnsemble.from_sklearn(models)

    return grow


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taught:
    """What is learned from: requests, those that are met a second time with new tools last."""

    x: npt.NDArray[np.float32]  # (n_taught, n_candidates, n_features)
    relevant: Bools  # (n_taught, n_candidates)
    known: Bools  # (n_taught, n_candidates)
    fold: Ints  # (n_taught,)

    @classmethod
    def of_candidates(
        cls, described: npt.NDArray[np.float32], relevant: Bools, known: Bools, weighed: Ints, fold: Ints
    ) -> "_Taught":
        """The candidates of these columns."""
        return cls(
            x=described,
            relevant=np.take_along_axis(relevant, weighed, axis=1),
            known=np.take_along_axis(known, weighed, axis=1),
            fold=fold,
        )

    def and_(self, more: "_Taught") -> "_Taught":
        """Both, `more` last."""
        return _Taught(
            x=np.concatenate([self.x, more.x]),
            relevant=np.concatenate([self.relevant, more.relevant]),
            known=np.concatenate([self.known, more.known]),
            fold=np.concatenate([self.fold, more.fold]),
        )


def _linear_lesson(
    candidates: Candidates,
    relevant: Bools,
    known: Bools,
    fold: Ints,
    *,
    columns: list[int],
    new_tools: NewTools | None,
) -> _Taught:
    """What the linear score learns from: these columns of the features."""
    lesson = _Taught(x=candidates.features[:, :, columns], relevant=relevant, known=known, fold=fold)
    if new_tools is None:
        return lesson
    seen = new_tools.candidates.features[:, :, columns]
    return lesson.and_(_Taught(x=seen, relevant=new_tools.relevant, known=new_tools.known, fold=fold[new_tools.row]))


def _tree_lesson(
    described: npt.NDArray[np.float32],
    past: "_Past",
    weighed: Ints,
    *,
    linear_of_new: Floats,
    new_tools: NewTools | None,
    twins: Twins | None,
) -> _Taught:
    """What trees learn from: the best candidates, described with what the linear score says of them held out.

    Args:
        described: (n_queries, n_weighed, n_described)
        past: the requests.
        weighed: (n_queries, n_weighed)
        linear_of_new: (n_shown, n_candidates) held-out log shares of the requests that are met with new tools.
        new_tools: those requests.
        twins: of the registry, where `described` tells of them.
    """
    lesson = _Taught.of_candidates(described, past.relevant, past.known, weighed, past.fold)
    if new_tools is None:
        return lesson
    best = _best_columns(linear_of_new)  # (n_shown, n_weighed)
    shown = with_first_opinion(new_tools.candidates, linear_of_new, new_tools.co_use, weighed=best, twins=twins)
    return lesson.and_(
        _Taught.of_candidates(shown, new_tools.relevant, new_tools.known, best, past.fold[new_tools.row])
    )


def _held_out_linear(taught: _Taught, prior: Floats) -> Floats:
    """Log shares by weights that never saw the request, (n_taught, n_candidates)."""
    scores = np.empty(taught.relevant.shape)
    for held in range(_N_FOLDS):
        seen = taught.fold != held
        fitted = fit_listwise(
            taught.x[seen], taught.relevant[seen], prior=prior, ridge=_RIDGE, known=taught.known[seen]
        )
        scores[~seen] = log_softmax(taught.x[~seen] @ fitted)
    return scores


def _held_out_trees(lesson: _Taught, n_queries: int, grow: Grower) -> Floats:
    """What trees that never saw the request say of the first requests, (n_queries, n_weighed)."""
    scores = np.empty(lesson.relevant[:n_queries].shape)
    judged = np.arange(len(lesson.fold)) < n_queries  # (n_taught,)
    for held in range(_N_FOLDS):
        seen = (lesson.fold != held)[:, None] & lesson.known  # (n_taught, n_weighed)
        asked = judged & (lesson.fold == held)  # (n_taught,)
        if not lesson.relevant[seen].any():
            scores[asked[:n_queries]] = 0.0
            continue
        trees = grow(lesson.x[seen], lesson.relevant[seen], n_forests=_N_FORESTS_TRIED)
        held_out = lesson.x[asked]  # (n_held, n_weighed, n_features)
        predicted = trees.predict(held_out.reshape(-1, held_out.shape[2])).reshape(held_out.shape[:2])
        scores[asked[:n_queries]] = predicted
    return scores


@dataclass(frozen=True, slots=True, kw_only=True)
class _Past:
    """Past requests and what was thought of their candidates before there were trees, (n_queries, n_candidates)."""

    relevant: Bools
    n_relevant: Ints  # (n_queries,)
    known: Bools
    fold: Ints  # (n_queries,)
    linear: Floats  # log shares by weights that never saw the request
    prior: Floats  # log shares by the starting weights

    def quality(self, scores: Floats) -> Floats:
        """How well each request is served by scores of its candidates, in [0, 1], (n_queries,)."""
        return _quality(np.where(self.known, scores, -np.inf), self.relevant, self.n_relevant)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blend:
    """Opinions put together."""

    name: str
    scores: Floats  # (n_queries, n_candidates), held out
    linear_share: float
    prior_share: float
    trees: TreeEnsemble | None  # their share is in their values
    alone: dict[str, Floats]  # opinions that are first met here, each by itself


def _beside_trees(past: _Past, lesson: _Taught, weighed: Ints, grow: Grower, *, forced: bool) -> _Blend | None:
    """The linear score and trees; None where trees deserve no share, unless they are forced.

    Shares are a mean of the likeliest and of those that serve held-out requests best. The latter is what is wanted, yet
    of few requests only few are hit with one share and missed with another, while each says which share is likelier.

    Args:
        past: the requests.
        lesson: what trees learn from, these requests first, (n_taught, n_weighed, n_described).
        weighed: (n_queries, n_weighed)
        grow: grows the trees.
        forced: whether trees must have a share, an equal one if need be.
    """
    wanted, told = lesson.relevant[: len(weighed)], lesson.known[: len(weighed)]  # (n_queries, n_weighed)
    opinion = _held_out_trees(lesson, len(weighed), grow)
    linear = np.take_along_axis(past.linear, weighed, axis=1)  # (n_queries, n_weighed)
    likeliest = believed((linear, opinion), wanted, told, begun=_EQUALLY)
    tried = [_with_the_rest((1.0 - share) * opinion, past.linear, weighed, share=share) for share in _LINEAR_SHARES]
    nearness = nearness_to_the_best([past.quality(scores) for scores in tried])  # (n_tried,)
    by_hits = float(nearness @ np.array(_LINEAR_SHARES))
    of_linear = by_hits + (likeliest[0] / sum(likeliest) - by_hits) * _ENOUGH_HITS / (_ENOUGH_HITS + len(weighed))
    of_trees = 1.0 - of_linear
    if of_trees <= 0.0:
        if not forced:
            return None
        of_linear, of_trees = _EQUALLY
    return _Blend(
        name=f"{of_linear:.2f} linear + {of_trees:.2f} trees",
        scores=_with_the_rest(of_trees * opinion, past.linear, weighed, share=of_linear),
        linear_share=of_linear,
        prior_share=0.0,
        trees=grow(lesson.x[lesson.known], lesson.relevant[lesson.known], n_forests=_N_FORESTS).scaled(of_trees),
        alone={"trees": _with_the_rest(opinion, past.linear, weighed, share=0.0)},
    )


def _beside_prior(past: _Past) -> _Blend:
    """The linear score and the one it began at, which few requests are too few to leave altogether."""
    of_linear, of_prior = believed((past.linear, past.prior), past.relevant, past.known, begun=_LINEAR_ALONE)
    return _Blend(
        name=f"{of_linear:.2f} linear + {of_prior:.2f} prior",
        scores=log_softmax(of_linear * past.linear + of_prior * past.prior),
        linear_share=of_linear,
        prior_share=of_prior,
        trees=None,
        alone={},
    )


_ENOUGH_HITS: Final = 1_000  # requests from which on what serves best says more of shares than what is likeliest
_LINEAR_SHARES: Final = (0.0, 0.25, 0.4, 0.5, 0.6, 0.75, 1.0)  # the rest is the trees'
_EQUALLY: Final = (0.5, 0.5)  # linear, trees
_LINEAR_ALONE: Final = (1.0, 0.0)  # linear, prior


_MIN_QUERIES_FOR_TRUST: Final = 400


def _quality(scores: Floats, relevant: Bools, n_relevant: Ints) -> Floats:
    """Mean of recall@5 and nDCG@10 of each request, (n_queries,)."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    hit = np.take_along_axis(relevant, order, axis=1)  # (n_queries, <=10)
    discount = 1.0 / np.log2(np.arange(2, 12))  # (10,)
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(n_relevant, 10)]
    recall = hit[:, :5].sum(axis=1) / n_relevant
    gain = (hit * discount[: hit.shape[1]]).sum(axis=1) / ideal
    judged: Floats = (recall + gain) / 2.0
    return judged


def _sigmoid(scores: Floats, relevant: Bools) -> tuple[float, float]:
    """Slope and offset of Platt's sigmoid on held-out scores, by Newton's method with step halving."""
    x = np.stack([scores.reshape(-1), np.ones(scores.size)], axis=1)  # (n, 2)
    y = relevant.reshape(-1).astype(np.float64)

    def loss(w: Floats) -> float:
        z = x @ w
        return float((np.logaddexp(0.0, z) - y * z).sum()) + 0.5 * _SIGMOID_RIDGE * float(((w - begun) ** 2).sum())

    begun = np.array([1.0, 0.0])
    w, reached = begun, loss(begun)
    for _ in range(30):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ w, -60.0, 60.0)))
        gradient = x.T @ (p - y) + _SIGMOID_RIDGE * (w - begun)
        curvature = (x * (p * (1.0 - p))[:, None]).T @ x + _SIGMOID_RIDGE * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        while (tried := loss(w - step)) > reached and np.abs(step).max() > 1e-9:
            step = step / 2.0
        if reached - tried < 1e-9:
            break
        w, reached = w - step, tried
    return max(float(w[0]), 1e-3), float(w[1])


_SIGMOID_RIDGE: Final = 1e-2


def _log_rank(scores: Floats) -> Floats:
    """log(1 + rank), 0 for the best, along the last axis."""
    ranks: Floats = np.log1p((-scores).argsort(axis=-1, kind="stable").argsort(axis=-1, kind="stable"))
    return ranks


def _stage(
    columns: Sequence[int],
    weights: Floats,
    *,
    trees: TreeEnsemble | None,
    sees_twins: bool,
    share: float,
    calibration: tuple[float, float],
    choice: StageChoice,
) -> SecondStage:
    return SecondStage(
        columns=tuple(columns),
        weights=weights,
        trees=trees,
        sees_twins=sees_twins,
        linear_share=share,
        slope=calibration[0],
        offset=calibration[1],
        choice=choice,
    )
