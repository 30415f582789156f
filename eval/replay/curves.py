"""All operating points of one rule, in numbers: its score at the best single model's cost, its cost at that score."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from catalog import Floats
from eval.intervals import GroupBootstrap, Interval
from eval.metrics import (
    aiq_paper,
    area_under_deferral_curve,
    cost_share,
    expected_calibration_error,
    hypervolume,
    interval_coverage,
    peak_quality,
    quality_neutral_cost,
)
from eval.metrics.frontier import mixture_at_cost, quality_at_cost
from eval.metrics.undefined import or_nan
from eval.outcomes.table import Ints, ReplayTable

from .operating_points import PAY, SWEEP
from .replay import Choices, Replay, Run, obtained

__all__ = ["CurveSummary", "curve_summaries"]


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


def curve_summaries(replayed: Replay, bootstrap: GroupBootstrap) -> tuple[CurveSummary, ...]:
    """Every contender's, that of the prompt's length, and, of models tried everywhere, their mixtures'."""
    best, curves = replayed.reference("best_single"), _curves(replayed)
    top = max(float(cost.mean(axis=0).max()) for _, _, cost, _ in curves)
    return tuple(
        _curve(name, score, cost, run, best, replayed, bootstrap, max_cost=top) for name, score, cost, run in curves
    )


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
        audc=or_nan(partial(area_under_deferral_curve, share, mean_score)) if is_curve else math.nan,
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
