# ruff: noqa: T201 - a command prints
"""How often intervals of 95 % of a challenger's gain hold the truth, by exploration and number of rewarded decisions.

`python -m tests.benchmarks.bench_worth [--draws 400]` draws journals whose truth is known (`Drawn`) and judges each by

- resampled: a percentile bootstrap of the doubly robust terms;
- Student's: of what was explored, with nothing added;
- empirical Bernstein: of what was explored (Maurer and Pontil, COLT 2009);
- betting: of what was explored (Waudby-Smith and Ramdas, JRSS B 86(1), 2024);
- ours: `eval.journal.worth`.
"""

import argparse
from collections.abc import Callable
from unittest.mock import patch

import numpy as np

from catalog import Floats
from eval.intervals import Interval
from eval.journal import worth
from eval.journal.bounded_mean import BoundedMean, bounded_mean
from tests.eval.journal.test_worth import Drawn

TRUTHS = ((0.8, 0.65, 0.95), (0.8, 0.95, 0.6), (0.6, 0.6, 0.6), (0.9, 0.97, 0.97))  # old, new, and what is believed
_ALPHA, _GRID = 0.05, np.linspace(0, 1, 201)[:, None]  # (n_grid, 1)

Method = Callable[..., BoundedMean]


def students(values: Floats, weight: Floats, *, lower: float, upper: float) -> BoundedMean:
    """Nothing added, and the whole range of less than two."""
    from scipy.stats import t as student  # noqa: PLC0415 - heavy

    if len(values) < 2:
        return bounded_mean(values[:0], weight[:0], lower=lower, upper=upper)
    reach = student.ppf(1 - _ALPHA / 2, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return _about(float(np.average(values, weights=weight)), reach, lower, upper, len(values))


def bernstein(values: Floats, weight: Floats, *, lower: float, upper: float) -> BoundedMean:
    """Of the unweighted values; the whole range of less than two."""
    if len(values) < 2:
        return bounded_mean(values[:0], weight[:0], lower=lower, upper=upper)
    n, logarithm = len(values), np.log(4 / _ALPHA)
    reach = (2 * values.var(ddof=1) * logarithm / n) ** 0.5 + 7 * (upper - lower) * logarithm / (3 * (n - 1))
    return _about(float(np.average(values, weights=weight)), float(reach), lower, upper, n)


def betting(values: Floats, weight: Floats, *, lower: float, upper: float) -> BoundedMean:
    """The hedged capital of a bettor against every mean; a value weighs as its rarity says."""
    n = len(values)
    if n == 0:
        return bounded_mean(values, weight, lower=lower, upper=upper)
    at, share = (values - lower) / (upper - lower), weight / weight.max()
    turn = np.arange(1, n + 1)
    mean = (0.5 + np.cumsum(at)) / (1 + turn)
    spread = (0.25 + np.cumsum((at - mean) ** 2)) / (1 + turn)
    stake = np.sqrt(2 * np.log(2 / _ALPHA) / (np.concatenate([[0.25], spread[:-1]]) * n)) / share.mean()
    won = share * (at - _GRID)  # (n_grid, n)
    up = np.log1p(np.minimum(stake, 0.75 / np.maximum(_GRID, 1e-9)) * won).cumsum(axis=1).max(axis=1)
    down = np.log1p(-np.minimum(stake, 0.75 / np.maximum(1 - _GRID, 1e-9)) * won).cumsum(axis=1).max(axis=1)
    left = _GRID[np.maximum(up, down) < np.log(2 / _ALPHA), 0]
    ends = (left.min() - 0.005, left.max() + 0.005) if len(left) else (at.mean(), at.mean())
    low, high = (lower + (upper - lower) * float(np.clip(end, 0, 1)) for end in ends)
    found = min(max(float(np.average(values, weights=weight)), low), high)
    return BoundedMean(mean=found, interval=Interval(lower=low, upper=high), n=n)


def _about(mean: float, reach: float, lower: float, upper: float, n: int) -> BoundedMean:
    mean = min(max(mean, lower), upper)
    return BoundedMean(
        mean=mean, interval=Interval(lower=max(lower, mean - reach), upper=min(upper, mean + reach)), n=n
    )


def resampled(drawn: Drawn) -> Interval:
    """As intervals were made before: the doubly robust terms of both, drawn again."""

    def terms(side: worth.Target) -> Floats:
        off = np.where(side.told, (drawn.log.reward - side.modelled) / side.propensity, 0.0)
        return side.modelled + off

    return drawn.bootstrap.of_difference(terms(drawn.new), terms(drawn.old))


def intervals(drawn: Drawn) -> dict[str, Interval]:
    """By every method, of one journal."""
    methods: dict[str, Method] = {"Student's": students, "Bernstein": bernstein, "betting": betting}
    found = {"resampled": resampled(drawn)}
    for name, method in methods.items():
        with patch.object(worth, "bounded_mean", method):
            found[name] = drawn.more().interval
    return found | {"ours": drawn.more().interval}


def main() -> None:
    """Print one row per share of exploration and number of decisions; the worst case over what may be true."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=400, help="journals per case")
    draws = parser.parse_args().draws
    print("explored  decisions  tell |  method: lowest share that holds the truth (mean width)")
    for explore in (0.02, 0.1, 0.5):
        for n in (200, 500, 2_000):
            held: dict[str, list[float]] = {}
            width: dict[str, list[float]] = {}
            tell: list[int] = []
            for old, new, believed in TRUTHS:
                made = [Drawn(seed, n=n, explore=explore, old=old, new=new, believed=believed) for seed in range(draws)]
                tell += [one.more().explored for one in made]
                by_method = [intervals(one) for one in made]
                truth = 0.3 * (new - old)
                for name in by_method[0]:
                    them = [one[name] for one in by_method]
                    held.setdefault(name, []).append(float(np.mean([i.lower <= truth <= i.upper for i in them])))
                    width.setdefault(name, []).append(float(np.mean([i.upper - i.lower for i in them])))
            told = "  ".join(f"{name} {min(held[name]):.2f} ({np.mean(width[name]):.3f})" for name in held)
            print(f"{explore:8.0%} {n:10} {np.mean(tell):5.1f} |  {told}", flush=True)


if __name__ == "__main__":
    main()
