"""What probing is worth: routing regret against the number of probes, chosen or drawn at random.

    python -m eval.probe_study mmlu_pro zeroeval --data DIR --catalog catalog.json

A sixth of the models at a time is unknown. Each of them in turn joins the others, placed by its profile, and is probed
on training questions; then questions of the other half are routed by the argmax of expected scores. Regret is what
this earns less than the same routing after all training questions were asked. Give `--catalog` one that was compiled
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
from predictors.quality.factorization import LogisticFactorization, sigmoid
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
    """A model nobody knows beside models everybody knows, on questions to probe with and questions to route."""

    belief: VectorBelief
    probe_side: Matrix  # (n_probes, 1 + n_traits)
    probe_score: Floats  # (n_probes,)
    route_side: Matrix  # (n_routed, 1 + n_traits)
    route_score: Floats  # (n_routed,) of the newcomer
    rival_expected: Floats  # (n_routed,) of the rival that looks best
    rival_score: Floats  # (n_routed,) of that rival

    def value(self, probes: Sequence[int]) -> float:
        """Mean score of routing after these probes."""
        asked = Asked(prompt_side=self.probe_side[list(probes)], score=self.probe_score[list(probes)])
        belief = self.belief.after(asked) if len(probes) else self.belief
        chosen = belief.expected(self.route_side) > self.rival_expected
        return float(np.where(chosen, self.route_score, self.rival_score).mean())


def regrets(newcomer: Newcomer, *, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Regret at each of `BUDGETS` with chosen probes and with random ones (mean of a few draws), each (n_budgets,)."""
    n = len(newcomer.probe_side)
    best = newcomer.value(range(n))
    order = most_informative(newcomer.belief, newcomer.probe_side, n=max(BUDGETS))
    chosen = np.array([best - newcomer.value(order[:budget]) for budget in BUDGETS])
    draws = [rng.permutation(n).tolist() for _ in range(_DRAWS)]
    drawn = np.array([np.mean([best - newcomer.value(draw[:budget]) for draw in draws]) for budget in BUDGETS])
    return chosen, drawn


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
        found = np.array([regrets(newcomer, rng=rng) for newcomer in _newcomers(training, rng)])
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


def _newcomers(training: TrainingSet, rng: np.random.Generator) -> list[Newcomer]:
    half = group_folds(training.group, 2)
    fold = rng.permutation(len(training.models)) % _MODEL_FOLDS
    profile = np.asarray(training.profile_features)
    found: list[Newcomer] = []
    for held_out in range(_MODEL_FOLDS):
        out = np.flatnonzero(fold == held_out)
        known = np.flatnonzero(fold != held_out)
        seen = training.only(half == 0)
        seen = replace(
            seen,
            score=seen.score[:, known],
            models=tuple(training.models[m] for m in known),
            profile_features=profile[known],
        )
        fitted = LogisticFactorization(max_iterations=60).fit(seen)
        side = fitted.basis.transform(training.features) @ fitted.weights_  # (n_prompts, 1 + n_traits)
        vectors = np.concatenate([np.ones((len(out), 1)), profile[out]], axis=1) @ fitted.profile_map_
        rivals = sigmoid(side[:, :1] + fitted.vectors_[:, 0] + side[:, 1:] @ fitted.vectors_[:, 1:].T)
        rivals = np.where(np.isfinite(training.score[:, known]), rivals, -np.inf)
        best = rivals.argmax(axis=1)
        rows = np.arange(len(best))
        for model, vector in zip(out, vectors, strict=True):
            tried = np.isfinite(training.score[:, model])
            probe, route = tried & (half == 0), tried & (half == 1)
            found.append(
                Newcomer(
                    belief=VectorBelief.from_profile(vector, strength_sd=_STRENGTH_SD, trait_sd=_TRAIT_SD),
                    probe_side=side[probe],
                    probe_score=training.score[probe, model],
                    route_side=side[route],
                    route_score=training.score[route, model],
                    rival_expected=rivals[rows, best][route],
                    rival_score=training.score[:, known][rows, best][route],
                )
            )
    return found


if __name__ == "__main__":
    sys.exit(main())
