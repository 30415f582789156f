"""What reading less of a long prompt costs: `python -m eval.robustness.shortening llmrouter mmlu_pro --data DIR`.

Predictors are fitted on whole prompts and asked about longer ones that they have not seen, whole and shortened as a
gateway shortens them (`predictors.reading.shorten`).
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalog import Floats, ParetoGateError
from eval.contenders.learners import FeatureMemory, PredictorLearner
from eval.intervals import GroupBootstrap, Interval
from eval.outcomes.folds import Folds
from eval.outcomes.sources import read_table
from eval.outcomes.table import ReplayTable
from predictors.encoders import open_encoder
from predictors.features import Features
from predictors.quality.ensemble import StackedEnsemble
from predictors.reading import TEXT_BUDGET_CHARS, shorten

__all__ = ["Shortened", "main", "study"]

_BUDGETS = (TEXT_BUDGET_CHARS, 1_500, 1_000, 700)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortened:
    """Held-out long prompts read to a budget, against the same ones read whole."""

    budget: int  # characters
    n_prompts: int
    brier: float  # mean squared error of expected scores
    brier_more: float
    brier_more_95: Interval
    same_choice: float  # share of prompts for which the model with the highest expected score stays the same
    score_more: float  # of the model with the highest expected score
    score_more_95: Interval


def study(
    table: ReplayTable, *, longer_than: int, budgets: Sequence[int] = _BUDGETS, n_folds: int = 5, seed: int = 0
) -> list[Shortened]:
    """Judge every prompt longer than so many characters once, out of fold; an empty list where there are none."""
    features = FeatureMemory(Features(open_encoder("static")))
    learner = PredictorLearner(name="ensemble", make=StackedEnsemble, features=features)
    lengths = np.array([len(prompt) for prompt in table.prompt])
    rows, expected = [], []  # of the long prompts, and (1 + n_budgets, n_rows, n_models) a fold
    for train, held_out in Folds.by_group(table, n_folds=n_folds, seed=seed):
        long = held_out[lengths[held_out] > longer_than]
        if not len(long):
            continue
        estimate = learner.fit(table.take(train))
        whole = [table.prompt[row] for row in long]
        read = [whole, *([shorten([], [("user", text)], budget=budget) for text in whole] for budget in budgets)]
        rows.append(long)
        expected.append(np.stack([estimate(texts).mean for texts in read]))
    if not rows:
        return []
    judged = table.take(np.concatenate(rows))
    errors, scores, choices = _judged(judged, np.concatenate(expected, axis=1))
    draws = GroupBootstrap(judged.group, seed=seed)
    return [
        Shortened(
            budget=budget,
            n_prompts=len(judged),
            brier=float(errors[at].mean()),
            brier_more=float((errors[at] - errors[0]).mean()),
            brier_more_95=draws.of_difference(errors[at], errors[0]),
            same_choice=float((choices[at] == choices[0]).mean()),
            score_more=float((scores[at] - scores[0]).mean()),
            score_more_95=draws.of_difference(scores[at], scores[0]),
        )
        for at, budget in enumerate(budgets, start=1)
    ]


def _judged(table: ReplayTable, expected: Floats) -> tuple[Floats, Floats, Floats]:
    """Squared error, score of the choice, and the choice itself, each (1 + n_budgets, n_prompts).

    Expected scores are (1 + n_budgets, n_prompts, n_models); nobody is chosen who was not tried.
    """
    errors = np.nanmean((expected - table.score) ** 2, axis=2)
    choices = np.where(np.isnan(table.score), -np.inf, expected).argmax(axis=2)
    scores = np.take_along_axis(np.broadcast_to(table.score, expected.shape), choices[..., None], axis=2)[..., 0]
    return errors, scores, choices


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table to standard output."""
    parser = argparse.ArgumentParser(prog="python -m eval.robustness.shortening", description=__doc__)
    parser.add_argument("dataset", nargs="+", help="routing datasets by name")
    folder = os.environ.get("PARETOGATE_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(folder), help="folder of the public datasets")
    parser.add_argument("--longer-than", type=int, default=1_500, help="characters of the prompts that are judged")
    args = parser.parse_args(argv)
    sys.stdout.write("| prompts | read to | squared error | more [95 %] | same choice | its score, more [95 %] |\n")
    sys.stdout.write("| --- | ---: | ---: | --- | ---: | --- |\n")
    try:
        for name in args.dataset:
            for one in study(read_table(name, data=args.data), longer_than=args.longer_than):
                sys.stdout.write(_row(name, one))
    except ParetoGateError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 1
    return 0


def _row(name: str, one: Shortened) -> str:
    error, score = one.brier_more_95, one.score_more_95
    return (
        f"| {name}, {one.n_prompts} | {one.budget:,} | {one.brier:.4f} "
        f"| {one.brier_more:+.4f} [{error.lower:+.4f}, {error.upper:+.4f}] | {100 * one.same_choice:.1f} % "
        f"| {one.score_more:+.4f} [{score.lower:+.4f}, {score.upper:+.4f}] |\n"
    )


if __name__ == "__main__":
    sys.exit(main())
