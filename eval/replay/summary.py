"""A replay in numbers: every rule beside the best single model, with paired intervals.

`summarise` makes points (a rule or a policy: score, cost, what it chose), curves (a sweep: score at the best single
model's cost, cost at its score, areas, calibration) and, of two models, the pair's recovered gap. Intervals are of one
bootstrap over groups, so that differences are paired.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from catalog import Floats
from eval.errors import UndefinedMetricError
from eval.intervals import GroupBootstrap, Interval
from eval.metrics import (
    PairCurve,
    aiq_paper,
    area_under_deferral_curve,
    arena_score,
    call_percentage_threshold,
    cost_share,
    expected_calibration_error,
    hypervolume,
    interval_coverage,
    optimal_model_identification,
    optimal_selection,
    peak_quality,
    quality_neutral_cost,
)
from eval.metrics.frontier import mixture_at_cost, quality_at_cost
from eval.outcomes.table import Ints, ReplayTable

from .operating_points import PAY, SWEEP
from .pairs import PairReplay, pair_replays
from .replay import Choices, Replay, Run

__all__ = ["CurveSummary", "PairSummary", "PointSummary", "Summary", "obtained", "summarise"]

_RIGHT = 0.5  # a graded score at or above it counts as right where a measure needs right or wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class PointSummary:
    """One rule at one operating point."""

    name: str
    point: float | None
    score: float
    cost_usd: float  # mean per call
    cost_share: float  # of the best single model's; NaN where that alone is free
    gain: float  # score less the best single model's, on the same prompts
    gain_interval: Interval  # 95 %
    best_identified: float  # share of prompts whose chosen model is (one of) the best
    best_identified_decisive: float  # the same, without the prompts on which all models tie
    best_identified_strict: float  # among the prompts with one best model
    cheapest_right: float  # RouterArena's optimal selection
    arena: float  # RouterArena's score of accuracy and cost
    most_chosen: str
    most_chosen_share: float  # near 1: the rule has collapsed onto one model
    dearest_third_share: float  # of the prompts, sent to the dearest third of the pool


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveSummary:
    """All operating points of one rule, of both its sweeps, as a curve. Costs are shares of the best single model's."""

    name: str
    n_points: int
    peak: float
    score_at_best_single_cost: float
    gain_at_best_single_cost: Interval  # its best mixture is read off the judged prompts, which flatters a small table
    gain_chosen_elsewhere: float  # the mixture chosen on the other folds' prompts; NaN where there is one fold
    gain_chosen_elsewhere_interval: Interval
    equal_quality_cost: float  # NaN: never as good as the best single model
    equal_quality_interval: Interval  # an end that is infinite: so many draws never are as good
    aiq: float  # RouterBench's, paper form, over the range of costs that all curves share
    audc: float
    hypervolume: float
    calibration_error: float | None  # ECE of the expected scores, over all tried pairs
    interval_coverage: float | None  # of 90 % intervals, over groups of one model's forecasts
    decide_us: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSummary:
    """A rule between a weak and a strong model, on one benchmark."""

    name: str
    benchmark: str
    apgr: float
    apgr_interval: Interval
    cpt20: float
    cpt50: float
    cpt80: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a report shows."""

    table: str
    split: str
    n_prompts: int
    n_models: int
    best_single: str
    points: tuple[PointSummary, ...]
    curves: tuple[CurveSummary, ...]
    pairs: tuple[PairSummary, ...]
    flips: Mapping[str, float]  # share of decisions that change with the prompt's look; empty where not measured


def summarise(
    replayed: Replay, *, seed: int = 0, n_resamples: int = 1_000, flips: Mapping[str, float] | None = None
) -> Summary:
    """Compute every number of a report; the same seed draws the same bootstrap for all rules."""
    table, best = replayed.table, replayed.reference("best_single")
    bootstrap = GroupBootstrap(table.group, seed=seed, n_resamples=n_resamples)
    named = [(c.policy, c) for c in replayed.references]
    named += [(f"{run.name}/{c.policy}", c) for run in replayed.runs for c in run.choices]
    curves = _curves(replayed)
    top = max(float(cost.mean(axis=0).max()) for _, _, cost, _ in curves)
    return Summary(
        table=table.name,
        split=replayed.split,
        n_prompts=len(table),
        n_models=len(table.models),
        best_single=table.models[int(np.bincount(best.chosen).argmax())],
        points=tuple(_point(name, c, best, table, bootstrap) for name, c in named),
        curves=tuple(
            _curve(name, score, cost, run, best, replayed, bootstrap, max_cost=top) for name, score, cost, run in curves
        ),
        pairs=tuple(
            _pair(p, GroupBootstrap(p.group, seed=seed, n_resamples=n_resamples)) for p in pair_replays(replayed)
        ),
        flips=dict(flips or {}),
    )


def obtained(values: Floats, choices: Choices) -> Floats:
    """The chosen model's value on every prompt, shape (n_prompts,), from (n_prompts, n_models)."""
    return values[np.arange(len(choices.chosen)), choices.chosen]


def _point(name: str, choices: Choices, best: Choices, table: ReplayTable, bootstrap: GroupBootstrap) -> PointSummary:
    score, cost = obtained(table.score, choices), obtained(table.cost_usd, choices)  # (n_prompts,) each
    best_score, best_cost = obtained(table.score, best), obtained(table.cost_usd, best)
    counts = np.bincount(choices.chosen, minlength=len(table.models))  # (n_models,)
    right = optimal_selection(
        correct=table.score >= _RIGHT, cost=np.where(table.tried, table.cost_usd, np.inf), chosen=choices.chosen
    )
    return PointSummary(
        name=name,
        point=choices.point,
        score=float(score.mean()),
        cost_usd=float(cost.mean()),
        cost_share=cost_share(float(cost.mean()), of=float(best_cost.mean())),
        gain=float(score.mean() - best_score.mean()),
        gain_interval=bootstrap.of_difference(score, best_score),
        best_identified=optimal_model_identification(table.score, choices.chosen),
        best_identified_decisive=optimal_model_identification(table.score, choices.chosen, ties="decisive"),
        best_identified_strict=optimal_model_identification(table.score, choices.chosen, ties="strict"),
        cheapest_right=right.selection,
        arena=arena_score(accuracy=float(score.mean()), usd_per_1k=float(cost.mean()) * 1_000),
        most_chosen=table.models[int(counts.argmax())],
        most_chosen_share=float(counts.max() / counts.sum()),
        dearest_third_share=float(counts[_dearest_third(table)].sum() / counts.sum()),
    )


def _dearest_third(table: ReplayTable) -> list[int]:
    by_cost = np.argsort(-np.nanmean(table.cost_usd, axis=0), kind="stable")
    return [int(j) for j in by_cost[: -(-len(by_cost) // 3)]]


def _curves(replayed: Replay) -> list[tuple[str, Floats, Floats, Run | None]]:
    """Name, scores and costs (n_prompts, n_points) of every curve, the mixtures of single models among them."""
    table = replayed.table
    single = np.flatnonzero(table.covering)
    curves: list[tuple[str, Floats, Floats, Run | None]] = [
        (run.name, *_columns(table, [c for c in run.choices if c.policy in (SWEEP, PAY)]), run) for run in replayed.runs
    ]
    by_length = [c for c in replayed.references if c.policy in ("length_threshold", "best_single", "cheapest_single")]
    curves.append(("length_threshold", *_columns(table, by_length), None))
    if not table.has_covering:  # each answered other prompts: their means are not of the same questions
        return curves
    filled_score = np.where(table.tried, table.score, np.nanmean(table.score, axis=0))[:, single]
    filled_cost = np.where(table.tried, table.cost_usd, np.nanmean(table.cost_usd, axis=0))[:, single]
    curves.append(("mixture_of_single_models", filled_score, filled_cost, None))
    return curves


def _columns(table: ReplayTable, choices: Sequence[Choices]) -> tuple[Floats, Floats]:
    score = np.stack([obtained(table.score, c) for c in choices], axis=1)  # (n_prompts, n_points)
    cost = np.stack([obtained(table.cost_usd, c) for c in choices], axis=1)  # (n_prompts, n_points)
    return score, cost


def _curve(  # noqa: PLR0917  # private, and named at its one call
    name: str,
    score: Floats,
    cost: Floats,
    run: Run | None,
    best: Choices,
    replayed: Replay,
    bootstrap: GroupBootstrap,
    *,
    max_cost: float,
) -> CurveSummary:
    table, k = replayed.table, score.shape[1]
    best_score, best_cost = obtained(table.score, best), obtained(table.cost_usd, best)  # (n_prompts,) each
    columns = np.column_stack([score, cost, best_score, best_cost])  # (n_prompts, 2 k + 2)

    def at_best_cost(means: Floats) -> float:
        return float(quality_at_cost(means[k : 2 * k], means[:k], at=means[-1:])[0]) - float(means[-2])

    def equal_quality(means: Floats) -> float:
        return quality_neutral_cost(
            means[k : 2 * k], means[:k], best_single_cost=float(means[-1]), best_single_quality=float(means[-2])
        )

    def drawn_equal_quality(means: Floats) -> float:  # a draw that never reaches it is one of the dearest, not none
        return math.inf if means[:k].max() < means[-2] else equal_quality(means)

    means = columns.mean(axis=0)
    best_usd = float(means[-1])
    mean_score = means[:k]  # (n_points,)
    elsewhere = _chosen_elsewhere(score, cost, at=best_cost, fold=replayed.fold)  # (n_prompts,)
    share = np.array([cost_share(usd, of=best_usd) for usd in means[k : 2 * k].tolist()])  # (n_points,)
    max_share = cost_share(max_cost, of=best_usd)
    is_curve = bool(np.isfinite([*share, max_share]).all())
    return CurveSummary(
        name=name,
        n_points=k,
        peak=peak_quality(mean_score),
        score_at_best_single_cost=at_best_cost(means) + float(means[-2]),
        gain_at_best_single_cost=bootstrap.of_statistic(columns, at_best_cost),
        gain_chosen_elsewhere=float((elsewhere - best_score).mean()),
        gain_chosen_elsewhere_interval=bootstrap.of_difference(elsewhere, best_score),
        equal_quality_cost=equal_quality(means),
        equal_quality_interval=bootstrap.of_statistic(columns, drawn_equal_quality),
        aiq=_aiq(share, mean_score, max_share=max_share) if is_curve else math.nan,
        audc=_or_nan(partial(area_under_deferral_curve, share, mean_score)) if is_curve else math.nan,
        hypervolume=hypervolume(share, mean_score, max_cost=max_share) if is_curve else math.nan,
        calibration_error=None if run is None else _calibration(run, table),
        interval_coverage=None if run is None else interval_coverage(run.quality, run.quality_se, table.score),
        decide_us=None if run is None else run.decide_us,
    )


def _chosen_elsewhere(score: Floats, cost: Floats, *, at: Floats, fold: Ints) -> Floats:
    """What every prompt scores under the mixture that is best, at no more than a cost, on the prompts of other folds.

    Args:
        score: (n_prompts, n_points).
        cost: (n_prompts, n_points).
        at: (n_prompts,) the cost that must not be exceeded in the mean.
        fold: (n_prompts,).

    Returns:
        (n_prompts,), NaN where there is one fold alone.
    """
    found = np.full(len(score), np.nan)
    for one in np.unique(fold) if fold.min() < fold.max() else ():
        here, others = fold == one, fold != one
        share = mixture_at_cost(cost[others].mean(axis=0), score[others].mean(axis=0), at=float(at[others].mean()))
        found[here] = score[here] @ share
    return found


def _aiq(share: Floats, score: Floats, *, max_share: float) -> float:
    """NaN where every model costs the same: there is no range of costs to average over."""
    if share.min() >= max_share * (1 - 1e-9):
        return float("nan")
    return aiq_paper(share, score, min_cost=0.0, max_cost=max_share)


def _calibration(run: Run, table: ReplayTable) -> float:
    tried = table.tried
    return expected_calibration_error(run.quality[tried], table.score[tried])


def _or_nan(measure: Callable[[], float]) -> float:
    """A measure, NaN where the numbers do not define it: one bad curve must not cost a report its other rows."""
    try:
        return measure()
    except UndefinedMetricError:
        return float("nan")


def _pair(pair: PairReplay, bootstrap: GroupBootstrap) -> PairSummary:
    def curve(means: Floats) -> PairCurve:
        return PairCurve(strong_share=pair.strong_share, score=means)

    whole = curve(pair.score.mean(axis=0))
    cpt = [_or_nan(partial(call_percentage_threshold, whole, r)) for r in (0.2, 0.5, 0.8)]
    return PairSummary(
        name=pair.name,
        benchmark=pair.benchmark,
        apgr=whole.apgr,
        apgr_interval=bootstrap.of_statistic(pair.score, lambda means: _or_nan(lambda: curve(means).apgr)),
        cpt20=cpt[0],
        cpt50=cpt[1],
        cpt80=cpt[2],
    )
