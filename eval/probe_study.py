"""What probing is worth: routing regret against the number of probes, chosen or drawn at random.

    python -m eval.probe_study mmlu_pro zeroeval --data DIR --catalog catalog.json

A sixth of the models at a time is new, and only these can be chosen: each is placed by its profile and probed on
training questions; then questions of the other half are routed by the argmax of expected scores. Regret is what this
earns less than the same routing after all training questions were asked. Give `--catalog` one that was compiled
without the figures of the replayed benchmark (`python -m catalog.compile --exclude`), or the profiles know the answer.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from catalog import Floats, ModelProfile
from catalog.registry import Catalog
from predictors.encoders import StaticEncoder
from predictors.features import Features
from predictors.outcomes import Outcomes
from predictors.quality.cold_start import AbilityPrior, profile_features
from predictors.quality.factorization import LogisticFactorization
from predictors.quality.protocol import Matrix, TrainingSet
from predictors.training import group_folds, training_set

from .probe import Asked, VectorBelief, most_informative

__all__ = ["BUDGETS", "Newcomer", "main", "regrets"]

BUDGETS = (0, 5, 10, 30, 100, 200)
_MODEL_FOLDS = 6
_DRAWS = 5
_STRENGTH_SD, _TRAIT_SD = 0.6, 0.3  # of vectors around their profile's, on the logit scale
_MIN_TRIED = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """A model nobody knows, on questions to probe with and questions to route."""

    belief: VectorBelief
    probe_side: Matrix  # (n_probes, 1 + n_traits)
    probe_score: Floats  # (n_probes,)
    route_side: Matrix  # (n_routed, 1 + n_traits), the same for every newcomer of a pool
    route_score: Floats  # (n_routed,), NaN where it was not tried

    def expected(self, probes: Sequence[int]) -> Floats:
        """Expected scores of the questions to route after these probes, -inf where the outcome is unknown."""
        asked = Asked(prompt_side=self.probe_side[list(probes)], score=self.probe_score[list(probes)])
        belief = self.belief.after(asked) if len(probes) else self.belief
        return np.where(np.isfinite(self.route_score), belief.expected(self.route_side), -np.inf)


def regrets(pool: Sequence[Newcomer], *, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Regret at each of `BUDGETS` with chosen probes and with random ones (mean of a few draws), each (n_budgets,)."""
    best = _value(pool, [range(len(one.probe_side)) for one in pool])
    orders = [most_informative(one.belief, one.probe_side, n=max(BUDGETS)) for one in pool]
    draws = [[rng.permutation(len(one.probe_side)).tolist() for one in pool] for _ in range(_DRAWS)]

    def regret(order: Sequence[Sequence[int]], budget: int) -> float:
        return best - _value(pool, [probes[:budget] for probes in order])

    chosen = np.array([regret(orders, budget) for budget in BUDGETS])
    drawn = np.array([np.mean([regret(draw, budget) for draw in draws]) for budget in BUDGETS])
    return chosen, drawn


def _value(pool: Sequence[Newcomer], probes: Sequence[Sequence[int]]) -> float:
    expected = np.stack([one.expected(asked) for one, asked in zip(pool, probes, strict=True)])  # (n_models, n_routed)
    score = np.stack([one.route_score for one in pool])
    return float(score[expected.argmax(axis=0), np.arange(score.shape[1])].mean())


def main(argv: Sequence[str] | None = None) -> int:
    """Print mean regret in points per dataset and budget."""
    parser = argparse.ArgumentParser(prog="python -m eval.probe_study", description=__doc__)
    parser.add_argument("dataset", nargs="+", help="routing datasets by name")
    parser.add_argument("--data", type=Path, required=True, help="folder of the public datasets")
    parser.add_argument("--catalog", type=Path, help="default: the shipped one")
    args = parser.parse_args(argv)
    sys.stdout.write(f"{'probes':>20} {' '.join(f'{budget:>6}' for budget in BUDGETS)}\n")
    for name in args.dataset:
        training = _table(args.data / "routing" / name / "outcomes.parquet", Catalog.load(args.catalog))
        rng = np.random.default_rng(0)
        found = np.array([regrets(pool, rng=rng) for pool in _pools(training, rng)])
        for kind, row in zip(("chosen", "random"), 100.0 * found.mean(axis=0), strict=True):
            sys.stdout.write(f"{name + ' ' + kind:>20} {' '.join(f'{regret:6.2f}' for regret in row)}\n")
    return 0


def _table(path: Path, catalog: Catalog) -> TrainingSet:
    profiles: dict[str, ModelProfile] = {}

    def model_id(dataset: str | None, name: str) -> str:
        listed = catalog.routing_id(dataset, name) if dataset else None
        profile = (catalog.get(listed) if listed else None) or ModelProfile(id=f"unlisted/{name}", name=name)
        profiles[profile.id] = profile
        return profile.id

    training = training_set(Outcomes.read([path]), Features(StaticEncoder.load()), model_id=model_id)
    tried = np.isfinite(training.score).mean(axis=0) > _MIN_TRIED
    models = tuple(model for model, kept in zip(training.models, tried, strict=True) if kept)
    known = profile_features([profiles[model] for model in models], AbilityPrior().fit(list(catalog))).values
    standard = (known - known.mean(axis=0)) / np.maximum(known.std(axis=0), 1e-9)
    training = replace(training, score=training.score[:, tried], models=models, profile_features=standard)
    everywhere = np.isfinite(training.score).mean(axis=1) > 0.5
    return training.only(everywhere)


def _pools(training: TrainingSet, rng: np.random.Generator) -> list[list[Newcomer]]:
    half = group_folds(training.group, 2)
    fold = rng.permutation(len(training.models)) % _MODEL_FOLDS
    profile = np.asarray(training.profile_features)
    pools: list[list[Newcomer]] = []
    for held_out in range(_MODEL_FOLDS):
        known, out = np.flatnonzero(fold != held_out), np.flatnonzero(fold == held_out)
        seen = training.only(half == 0)
        names = tuple(training.models[m] for m in known)
        seen = replace(seen, score=seen.score[:, known], models=names, profile_features=profile[known])
        fitted = LogisticFactorization(max_iterations=60).fit(seen)
        side = fitted.basis.transform(training.features) @ fitted.weights_  # (n_prompts, 1 + n_traits)
        vectors = np.concatenate([np.ones((len(out), 1)), profile[out]], axis=1) @ fitted.profile_map_
        score = training.score[:, out]
        route = (half == 1) & np.isfinite(score).any(axis=1)
        pools.append(
            [
                Newcomer(
                    belief=VectorBelief.from_profile(vector, strength_sd=_STRENGTH_SD, trait_sd=_TRAIT_SD),
                    probe_side=side[(half == 0) & np.isfinite(own)],
                    probe_score=own[(half == 0) & np.isfinite(own)],
                    route_side=side[route],
                    route_score=own[route],
                )
                for own, vector in zip(score.T, vectors, strict=True)
            ]
        )
    return pools


if __name__ == "__main__":
    sys.exit(main())
