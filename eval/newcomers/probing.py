"""What probing is worth: routing regret against the number of probes, chosen or drawn at random.

A share of the models at a time is new, and only these can be chosen: each is placed by its profile and probed on
training questions; then questions of the other half are routed by the argmax of expected scores. Regret is what this
earns less than the same routing after all training questions were asked.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from catalog import Floats
from eval.intervals import Interval, percentile_interval
from eval.probing.belief import Asked, VectorBelief, most_informative
from predictors.folds import group_folds
from predictors.quality.protocol import Matrix

from .benchmark import Benchmark
from .placement import place

__all__ = ["BUDGETS", "WAYS", "Newcomer", "ProbingWorth", "probing_worth", "regrets"]

BUDGETS = (0, 5, 10, 30, 100, 200)
# Own questions for every model, or the same ones for all: picked among a few that are drawn, or drawn; and the most
# telling of all, for every model its own.
WAYS = ("chosen", "chosen alike", "oddest", "random", "random alike")
_MODEL_FOLDS = 6
_SHARED_LENGTH = 600  # questions picked for all alike: of these each model is asked those it was tried on
_DRAWS = 5
_RESAMPLES = 2_000
_MOSTLY = 0.5  # prompts that fewer of the models were tried on are left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """A model nobody knows, on questions to probe with and questions to route."""

    belief: VectorBelief
    probe_side: Matrix  # (n_probes, 1 + n_traits), the same for every newcomer of a pool
    probe_score: Floats  # (n_probes,), NaN where it was not tried
    route_side: Matrix  # (n_routed, 1 + n_traits), the same for every newcomer of a pool
    route_score: Floats  # (n_routed,), NaN where it was not tried

    def askable(self, probes: Sequence[int]) -> list[int]:
        """Those of the questions that it was tried on, in the order given."""
        return [at for at in probes if np.isfinite(self.probe_score[at])]

    def expected(self, probes: Sequence[int]) -> Floats:
        """Expected scores of the questions to route after these probes, -inf where the outcome is unknown."""
        asked = Asked(prompt_side=self.probe_side[list(probes)], score=self.probe_score[list(probes)])
        belief = self.belief.after(asked) if len(probes) else self.belief
        return np.where(np.isfinite(self.route_score), belief.expected(self.route_side), -np.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbingWorth:
    """Mean regret over pools at each of `BUDGETS`, in score, with 95 % intervals over the pools."""

    n_pools: int
    regret: Mapping[str, tuple[float, ...]]  # each of `WAYS`, and `saved`: random less chosen -> (n_budgets,)
    interval: Mapping[str, tuple[Interval, ...]]  # of the same
    best_at_zero: float  # score that profiles alone earn
    best_in_hindsight: float  # score of the best single new model of each pool


def probing_worth(
    benchmark: Benchmark, *, partitions: int = 5, seed: int = 0, progress: Callable[[], None] = lambda: None
) -> ProbingWorth:
    """Regret of many pools: the models parted so many times into sixths, each sixth a pool."""
    rng = np.random.default_rng(seed)
    found, start, single = [], [], []
    for pool in _pools(benchmark, partitions, rng):
        found.append(regrets(pool, rng=rng))
        start.append(_value(pool, [()] * len(pool)))
        single.append(max(float(np.nanmean(one.route_score)) for one in pool))
        progress()
    rows = {way: np.array([of_pool[way] for of_pool in found]) for way in WAYS}  # (n_pools, n_budgets) each
    rows["saved"] = rows["random"] - rows["chosen"]
    return ProbingWorth(
        n_pools=len(found),
        regret={way: tuple(values.mean(axis=0).tolist()) for way, values in rows.items()},
        interval={way: _intervals(values, rng) for way, values in rows.items()},
        best_at_zero=float(np.mean(start)),
        best_in_hindsight=float(np.mean(single)),
    )


def regrets(pool: Sequence[Newcomer], *, rng: np.random.Generator) -> dict[str, Floats]:
    """Regret at each of `BUDGETS`, (n_budgets,), by each of `WAYS`; those that draw are means of a few draws."""
    n_probes = len(pool[0].probe_score)
    best = _value(pool, [one.askable(range(n_probes)) for one in pool])
    typical = VectorBelief(
        mean=np.mean([one.belief.mean for one in pool], axis=0),
        covariance=np.mean([one.belief.covariance for one in pool], axis=0),
    )
    side = pool[0].probe_side
    ways: dict[str, list[list[Sequence[int]]]] = {
        "chosen": [[_own_order(one, rng) for one in pool] for _ in range(_DRAWS)],
        "chosen alike": [
            [most_informative(typical, side, n=_SHARED_LENGTH, rng=rng)] * len(pool) for _ in range(_DRAWS)
        ],
        "oddest": [[_own_order(one, None) for one in pool]],
    }
    ways["random"] = [[rng.permutation(n_probes).tolist() for _ in pool] for _ in range(_DRAWS)]
    ways["random alike"] = [[rng.permutation(n_probes).tolist()] * len(pool) for _ in range(_DRAWS)]

    def regret(order: Sequence[Sequence[int]], budget: int) -> float:
        probes = [one.askable(asked)[:budget] for one, asked in zip(pool, order, strict=True)]
        return best - _value(pool, probes)

    return {
        way: np.array([np.mean([regret(order, budget) for order in orders]) for budget in BUDGETS])
        for way, orders in ways.items()
    }


def _own_order(one: Newcomer, rng: np.random.Generator | None) -> list[int]:
    untried = np.flatnonzero(~np.isfinite(one.probe_score)).tolist()
    return most_informative(one.belief, one.probe_side, n=max(BUDGETS), taken=untried, rng=rng)


def _value(pool: Sequence[Newcomer], probes: Sequence[Sequence[int]]) -> float:
    expected = np.stack([one.expected(asked) for one, asked in zip(pool, probes, strict=True)])  # (n_models, n_routed)
    score = np.stack([one.route_score for one in pool])
    return float(score[expected.argmax(axis=0), np.arange(score.shape[1])].mean())


def _intervals(values: Matrix, rng: np.random.Generator) -> tuple[Interval, ...]:
    drawn = rng.integers(len(values), size=(_RESAMPLES, len(values)))
    means = values[drawn].mean(axis=1)  # (n_resamples, n_budgets)
    return tuple(percentile_interval(column) for column in means.T)


def _pools(benchmark: Benchmark, partitions: int, rng: np.random.Generator) -> Iterator[list[Newcomer]]:
    training = benchmark.training
    probed = group_folds(training.group, 2) == 0
    everywhere = np.isfinite(training.score).mean(axis=1) > _MOSTLY
    for _ in range(partitions):
        fold = rng.permutation(len(training.models)) % _MODEL_FOLDS
        for held_out in range(_MODEL_FOLDS):
            new = fold == held_out
            placed = place(benchmark, known=~new, new=new, learn=probed & everywhere)
            score = training.score[:, new]
            route = ~probed & everywhere & np.isfinite(score).any(axis=1)
            yield [
                Newcomer(
                    belief=VectorBelief.from_profile(vector, strength_sd=float(sd), trait_sd=placed.trait_sd),
                    probe_side=placed.prompt_side[probed & everywhere],
                    probe_score=own[probed & everywhere],
                    route_side=placed.prompt_side[route],
                    route_score=own[route],
                )
                for own, vector, sd in zip(score.T, placed.vectors, placed.strength_sd, strict=True)
            ]
