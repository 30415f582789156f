"""One rule at one operating point, in numbers: its score and cost beside the best single model's, what it chose."""

from dataclasses import dataclass

import numpy as np

from eval.intervals import GroupBootstrap, Interval
from eval.metrics import arena_score, cost_share, optimal_model_identification, optimal_selection
from eval.outcomes.table import ReplayTable

from .replay import Choices, obtained

__all__ = ["PointSummary", "point_summary"]

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


def point_summary(
    name: str, choices: Choices, best: Choices, table: ReplayTable, bootstrap: GroupBootstrap
) -> PointSummary:
    """Compare one rule's choices with those of the best single model on the same prompts."""
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
