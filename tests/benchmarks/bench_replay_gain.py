# ruff: noqa: T201 - a command prints
"""How often a replay finds a gain over the best single model where there is none to find.

`python -m tests.benchmarks.bench_replay_gain [--draws 200] [--prompts 400]` draws tables of three models that are right
on half of all prompts, whatever the prompt (two prompts a group, as hard as each other), has kNN route them, and counts
the 95 % intervals that begin above 0: of a named policy, of the best mixture of operating points as it is read off the
judged prompts, and of the mixture that was chosen on the other folds. One in forty is what 95 % promise.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from catalog import Floats
from eval.contenders.contender import LearnedContender
from eval.contenders.learners import Estimator
from eval.outcomes.table import ReplayTable
from eval.replay.study import Study, run_study
from predictors.outcomes import Outcomes
from predictors.quality.protocol import QualityEstimate


class Numbers:
    """Prompts are two numbers, and these are their features."""

    n_surface = 0

    def extract(self, texts: Sequence[str]) -> Floats:
        return np.array([[float(word) for word in text.split()] for text in texts])  # (n_texts, 2)


@dataclass(frozen=True)
class Neighbours:
    """The mean over the twenty nearest prompts."""

    name: str = "knn"

    def fit(self, train: ReplayTable) -> Estimator:
        known = Numbers().extract(train.prompt)

        def estimate(prompts: Sequence[str]) -> QualityEstimate:
            apart = ((Numbers().extract(prompts)[:, None] - known) ** 2).sum(axis=2)  # (n_prompts, n_train)
            mean = train.score[np.argsort(apart, axis=1)[:, :20]].mean(axis=1)  # (n_prompts, n_models)
            return QualityEstimate(mean=mean, se=np.zeros_like(mean), familiarity=np.ones(len(mean)))

        return estimate


def drawn(rng: np.random.Generator, n_prompts: int) -> ReplayTable:
    """A table in which no prompt tells of any model."""
    prompts = [f"{x:.6f} {y:.6f}" for x, y in rng.normal(size=(n_prompts, 2))]
    hard = np.repeat(rng.normal(size=(n_prompts + 1) // 2), 2)[:n_prompts]
    right = rng.random((n_prompts, 3)) < 1 / (1 + np.exp(-0.5 * hard[:, None]))  # (n_prompts, n_models)
    rows = [
        {
            "prompt": p,
            "group_key": str(i // 2),
            "model": f"m{j}",
            "score": float(right[i, j]),
            "cost_usd": (j + 1) * 0.001,
        }
        for i, p in enumerate(prompts)
        for j in range(3)
    ]
    return ReplayTable.from_outcomes(Outcomes.from_table(pl.DataFrame(rows)), name="drawn")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--prompts", type=int, default=400)
    args = parser.parse_args()
    contenders = [LearnedContender(learner=Neighbours(), features=Numbers())]
    found = []
    for draw in range(args.draws):
        table = drawn(np.random.default_rng(draw), args.prompts)
        _, summary = run_study(table, contenders, Study(policies=("best",), seed=draw, n_resamples=400))
        policy, curve = next(p for p in summary.points if p.name == "knn/best"), summary.curves[0]
        best = next(p for p in summary.points if p.name == "best_single").score
        found.append((
            (policy.gain, policy.gain_interval.lower),
            (curve.score_at_best_single_cost - best, curve.gain_at_best_single_cost.lower),
            (curve.gain_chosen_elsewhere, curve.gain_chosen_elsewhere_interval.lower),
        ))  # fmt: skip
    gain, lower = np.moveaxis(np.array(found), 2, 0)  # (n_draws, 3) each
    for name, mean, share in zip(
        ("policy best", "read off the judged prompts", "chosen on the other folds"),
        gain.mean(axis=0),
        (lower > 0).mean(axis=0),
        strict=True,
    ):
        print(f"{name:30} mean gain {mean:+.4f}, interval begins above 0 in {share:.1%}")


if __name__ == "__main__":
    main()
