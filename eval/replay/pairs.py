"""A replay over two models, as routing papers report it: how much of the gap is recovered by how many strong calls."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from catalog import Floats
from eval.intervals import GroupBootstrap, Interval
from eval.metrics import PairCurve, call_percentage_threshold, score_alike, strong_weights
from eval.metrics.undefined import or_nan
from eval.outcomes.table import Bools

from .replay import Replay

__all__ = ["PairReplay", "PairSummary", "pair_replays", "pair_summary"]

_N_BINS = 10  # as published


@dataclass(frozen=True, slots=True, kw_only=True)
class PairReplay:
    """One way to rank prompts by what the strong model would gain, on one benchmark."""

    name: str
    benchmark: str
    strong_share: Floats  # (n_points,)
    score: Floats  # (n_prompts, n_points), expected where prompts of equal gain share the strong calls
    group: npt.NDArray[np.str_]  # (n_prompts,)


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


def pair_replays(replayed: Replay) -> Iterator[PairReplay]:
    """Every contender's expected gain, and the prompt's length, on every benchmark; nothing unless the pool is a pair.

    With two models the router's cost term is one constant, so turning its knob ranks prompts by this very gain. The
    strong model is the one of the higher mean score.
    """
    table = replayed.table
    if len(table.models) != 2:
        return
    weak, strong = (int(j) for j in np.argsort(np.nanmean(table.score, axis=0)))
    gains = {run.name: run.quality[:, strong] - run.quality[:, weak] for run in replayed.runs}  # (n_prompts,) each
    gains["prompt_length"] = np.array([float(len(p)) for p in table.prompt])
    both = table.tried.all(axis=1)  # (n_prompts,)
    for benchmark in np.unique(table.benchmark):
        rows = both & (table.benchmark == benchmark)
        if not rows.any() or score_alike(table.score[rows, weak].mean(), table.score[rows, strong].mean()):
            continue
        for name, gain in gains.items():
            yield PairReplay(
                name=name,
                benchmark=str(benchmark),
                strong_share=np.linspace(0, 1, _N_BINS + 1),
                score=_scores(gain, rows, table.score[:, weak], table.score[:, strong]),
                group=table.group[rows],
            )


def pair_summary(pair: PairReplay, bootstrap: GroupBootstrap) -> PairSummary:
    """In numbers; the bootstrap is over the groups of the pair's own prompts."""

    def curve(means: Floats) -> PairCurve:
        return PairCurve(strong_share=pair.strong_share, score=means)

    whole = curve(pair.score.mean(axis=0))
    cpt = [or_nan(partial(call_percentage_threshold, whole, r)) for r in (0.2, 0.5, 0.8)]
    return PairSummary(
        name=pair.name,
        benchmark=pair.benchmark,
        apgr=whole.apgr,
        apgr_interval=bootstrap.of_statistic(pair.score, lambda means: or_nan(lambda: curve(means).apgr)),
        cpt20=cpt[0],
        cpt50=cpt[1],
        cpt80=cpt[2],
    )


def _scores(gain: Floats, rows: Bools, weak: Floats, strong: Floats) -> Floats:
    weights = strong_weights(gain[rows], n_bins=_N_BINS)  # (n_here, n_points)
    return weak[rows, None] + weights * (strong - weak)[rows, None]
