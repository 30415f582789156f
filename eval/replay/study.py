"""How a table is replayed, and summed up: the public entry that the command line and other programs call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from eval.contenders.contender import Contender, FittedContender
from eval.outcomes.folds import Folds, learnable
from eval.outcomes.table import ReplayTable
from eval.robustness.noise import flip_rates
from predictors.stages import Tell
from router import Policy, RoutingOptions

from .operating_points import operating_points
from .replay import Replay, replay
from .summary import Summary, summarise

__all__ = ["Study", "run_study"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """How a table is replayed."""

    policies: tuple[str, ...] = ()
    configured: Mapping[str, Policy] = field(default_factory=dict)  # the operator's own, which `policies` may name
    n_folds: int = 5
    leave_out: str | None = None  # a benchmark, or `each`
    seed: int = 0
    n_resamples: int = 1_000
    encoder: str = "static"  # what the contenders that learn read prompts with, for the report
    noise: bool = False  # measure how many decisions change with the prompt's look


def run_study(
    table: ReplayTable, contenders: Sequence[Contender], study: Study, *, progress: Tell | None = None
) -> tuple[Replay, Summary]:
    """Replay one table and sum it up; the first contender is the one the report is about."""
    everybody, left_out = table.models, study.leave_out
    if left_out is None:
        table, folds = learnable(table, lambda t: Folds.by_group(t, n_folds=study.n_folds, seed=study.seed))
        split = f"{study.n_folds}-fold by question"
    else:
        table, folds = learnable(table, lambda t: Folds.by_benchmark(t, leave_out=left_out))
        split = f"benchmark left out: {left_out}"
    if rare := [model for model in everybody if model not in set(table.models)]:
        split = f"{split}, without {len(rare)} models that cannot be learned so: {', '.join(rare[:3])}"
    if isinstance(contenders[0], FittedContender):
        split = f"{contenders[0].name} as it was saved, its rivals {split}"
    if study.encoder != "static":
        split = f"{split}, prompts read by {study.encoder}"
    replayed = replay(
        table,
        contenders,
        folds,
        points=operating_points(study.policies, call_usd=_dear_call_usd(table)),
        split=split,
        policies=study.configured,
        seed=study.seed,
        progress=progress,
    )
    tell = progress or _silent
    flips = None
    if study.noise:
        balanced = RoutingOptions(explore=False)
        tell("deciding about prompts that look otherwise", 0, 1)
        flips = flip_rates(contenders[0], table, folds, balanced, seed=study.seed)
    tell("summing up", 0, 1)
    return replayed, summarise(replayed, seed=study.seed, n_resamples=study.n_resamples, flips=flips)


def _dear_call_usd(table: ReplayTable) -> float | None:
    """Mean cost of the dearest model that answered nearly everywhere; None where all of them are free."""
    return float(np.nanmean(table.cost_usd[:, table.covering], axis=0).max()) or None


def _silent(_what: str, _done: int, _of: int) -> None:
    """Tell nobody."""
