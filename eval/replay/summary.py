"""A replay in numbers: every rule beside the best single model, with paired intervals.

`summarise` makes points (a rule or a policy: score, cost, what it chose), curves (a sweep: score at the best single
model's cost, cost at its score, areas, calibration) and, of two models, the pair's recovered gap. Intervals are of one
bootstrap over groups, so that differences are paired.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from eval.intervals import GroupBootstrap

from .curves import CurveSummary, curve_summaries
from .pairs import PairSummary, pair_replays, pair_summary
from .points import PointSummary, point_summary
from .replay import Replay

__all__ = ["Summary", "summarise"]


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
    return Summary(
        table=table.name,
        split=replayed.split,
        n_prompts=len(table),
        n_models=len(table.models),
        best_single=table.models[int(np.bincount(best.chosen).argmax())],
        points=tuple(point_summary(name, c, best, table, bootstrap) for name, c in named),
        curves=curve_summaries(replayed, bootstrap),
        pairs=tuple(
            pair_summary(p, GroupBootstrap(p.group, seed=seed, n_resamples=n_resamples)) for p in pair_replays(replayed)
        ),
        flips=dict(flips or {}),
    )
