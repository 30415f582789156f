"""Is everybody sent to the same models? P(model | group), of requests that differ in who is mentioned alone.

    changed    share of questions that one model does not answer for all groups
    distance   largest total variation distance between two groups' P(model): the share of one group's requests that
               would have to go to other models for it to be served as the other is; 0 is parity
    gap        what that costs: largest difference between two groups' mean expected quality, all judged by the same
               forecasts, the means over groups; a refusal is worth 0
    p          share of draws, groups exchanged within each question, whose distance is at least as large: small where
               groups are treated differently in one direction, not merely now and then

A router that reads words changes some decisions with any word; `CONTROL` tells how many.

Source: the routing parity that follows from Tamkin et al., arXiv 2312.03689; the test is an exact-level permutation
test with sampled permutations (Phipson and Smyth 2010).
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalog import Floats, ParetoGateError
from catalog.registry import Catalog
from eval.errors import InvalidReplayError
from eval.outcomes.table import Ints
from eval.policy.configured import known_policy, read_policies
from eval.policy.corpus import priced_pool, read_prompts
from predictors import ForecastSource, Query
from predictors.forecaster import Forecaster
from router import NoEligibleModelError, Policy, Router, RoutingOptions

from .person_questions import GROUPS, PERSON, QUESTIONS

__all__ = ["Parity", "parity", "parity_of_choices"]

_REFUSED = -1  # stands for the model where no candidate satisfies the policy's constraints


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How alike the groups of one attribute are routed."""

    n_questions: int
    n_groups: int
    n_models: int  # that were chosen for anybody
    changed: float
    distance: float
    gap: float
    p: float


def parity_of_choices(chosen: Ints, quality: Floats, *, seed: int = 0, n_draws: int = 1_000) -> Parity:
    """Compare what was chosen for each group.

    Args:
        chosen: (n_questions, n_groups) the models' positions, -1 for a refusal.
        quality: (n_questions, n_models) what is expected of every model, whoever is mentioned.
        seed: of the draws.
        n_draws: how often groups are exchanged.
    """
    models, numbers = np.unique(chosen, return_inverse=True)
    codes: Ints = numbers.reshape(chosen.shape)  # (n_questions, n_groups)
    worth = np.where(chosen == _REFUSED, 0.0, np.take_along_axis(quality, chosen, axis=1)).mean(axis=0)  # (n_groups,)
    rng = np.random.default_rng(seed)
    found = _distance(codes, len(models))
    # differences of counts are whole numbers of questions: half of one tells equal from smaller, whatever the rounding
    at_least = found - 0.5 / len(codes)
    drawn = [_distance(rng.permuted(codes, axis=1), len(models)) for _ in range(n_draws)]
    return Parity(
        n_questions=len(codes),
        n_groups=len(worth),
        n_models=len(models),
        changed=float((codes != codes[:, :1]).any(axis=1).mean()),
        distance=found,
        gap=float(worth.max() - worth.min()),
        p=(1 + sum(d > at_least for d in drawn)) / (1 + n_draws),
    )


def _distance(codes: Ints, n_models: int) -> float:
    share = (codes[:, :, None] == np.arange(n_models)).mean(axis=0)  # (n_groups, n_models)
    return float(np.abs(share[:, None] - share[None, :]).sum(axis=2).max() / 2)


def parity(
    source: ForecastSource,
    policy: str,
    *,
    policies: Mapping[str, Policy] | None = None,
    questions: Sequence[str] = QUESTIONS,
    groups: Mapping[str, Sequence[str]] = GROUPS,
    seed: int = 0,
) -> dict[str, Parity]:
    """Attribute -> how alike its groups are routed under a policy, nothing explored.

    Raises:
        InvalidReplayError: a question has no `{person}`, or an attribute fewer than two groups.
    """
    if lacking := next((q for q in questions if PERSON not in q), None):
        raise InvalidReplayError(f"question {lacking[:60]!r} has no {PERSON}; write it where the person stands")
    if few := next((name for name, phrases in groups.items() if len(phrases) < 2), None):
        raise InvalidReplayError(f"{few}: one group has nobody to be compared with; name two or more")
    router, options = Router(source, policies=policies, explore=0.0), RoutingOptions(policy=policy, explore=False)
    rng = np.random.default_rng(seed)  # never drawn from: nothing explores

    found: dict[str, Parity] = {}
    for name, phrases in groups.items():
        queries = [[Query.from_prompt(q.replace(PERSON, phrase)) for phrase in phrases] for q in questions]
        chosen = np.array([[_choice(router, query, options, rng) for query in row] for row in queries])
        quality = np.array([source.forecasts(row).quality.mean(axis=0) for row in queries])  # (n_questions, n_models)
        found[name] = parity_of_choices(chosen, quality, seed=seed)
    return found


def _choice(router: Router, query: Query, options: RoutingOptions, rng: np.random.Generator) -> int:
    try:
        return int(router.decide(query, options, rng=rng).ranking[0])
    except NoEligibleModelError:
        return _REFUSED


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table to standard output; exit with 1 where a distance exceeds the largest allowed."""
    args = _parser().parse_args(argv)
    try:
        policies = read_policies(args.config)
        questions = QUESTIONS if args.questions is None else _questions(args.questions)
        groups = {"own": tuple(args.group)} if args.group else GROUPS
        source = Forecaster.load(args.predictor).bind(priced_pool(Catalog.load(), args.pool or ["all"]))
        found = {
            policy: parity(
                source, known_policy(policy, policies), policies=policies, questions=questions, groups=groups
            )
            for policy in args.policy or ["balanced"]
        }
    except ParetoGateError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 1
    sys.stdout.write("| policy | groups by | groups | questions | models | changed | distance | gap | p |\n")
    sys.stdout.write("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
    for policy, attributes in found.items():
        sys.stdout.writelines(_row(policy, name, one) for name, one in attributes.items())
    too_far = [(p, name) for p, told in found.items() for name, one in told.items() if one.distance > args.max_distance]
    for policy, name in too_far:
        sys.stderr.write(f"refused: {policy} sends groups by {name} further apart than {args.max_distance:g}\n")
    return 1 if too_far else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m eval.robustness.parity", description="Is everybody sent to the same models?"
    )
    parser.add_argument("--policy", action="append", help="a preset, or one of --config; repeatable (balanced)")
    parser.add_argument("--pool", action="append", help="models to choose from, by pattern; repeatable (all)")
    parser.add_argument("--predictor", type=Path, help="a saved one; the one that ships where left out")
    parser.add_argument("--config", type=Path, help="a paretogate.toml whose policies may be named")
    parser.add_argument("--questions", type=Path, help="a table whose column `prompt` has {person} in it")
    parser.add_argument("--group", action="append", help="a phrase for {person}; repeatable, in place of ours")
    parser.add_argument("--max-distance", type=float, default=1.0, help="fail above this distance")
    return parser


def _questions(path: Path) -> tuple[str, ...]:
    found = read_prompts(path)
    if found is None:
        raise InvalidReplayError(f"{path}: has scores; a table of questions has a column `prompt` alone")
    return found


def _row(policy: str, name: str, one: Parity) -> str:
    return (
        f"| {policy} | {name} | {one.n_groups} | {one.n_questions} | {one.n_models} "
        f"| {one.changed:.1%} | {one.distance:.1%} | {one.gap:.4f} | {one.p:.3f} |\n"
    )


if __name__ == "__main__":
    sys.exit(main())
