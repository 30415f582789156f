"""How far off the forecast of an unmeasured size is: `python -m eval.newcomers.siblings --data DIR`.

Each model that has a sibling of another size is left out in turn, and forecast from its siblings by every law and every
plain baseline. Two scales: the mean score on MMLU-Pro, with profiles that have not seen that benchmark, and the general
ability of the shipped catalog. Constants are learned from other series (of other owners, for abilities).
"""

import argparse
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from catalog import Ability, Catalog, Floats, ModelProfile, ParetoGateError
from catalog.capability.siblings import SiblingLaw, measured_series, series_of
from catalog.importers.litellm_prices import read_price_map
from predictors.quality.placement.cold_start import AbilityPrior

from .benchmark import Benchmark, read_benchmark
from .levels import forecast_levels
from .sibling_laws import LAWS, Series, Sized

__all__ = ["SiblingErrors", "ability_errors", "main", "score_errors"]

_CHANCE = 0.1  # ten options
_CLUSTERS = 10
_SURE = 0.6  # abilities vaguer than this judge nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class SiblingErrors:
    """Misses of every way to forecast, (n_models,) each, and how often the shipped law's own interval held."""

    misses: Mapping[str, Floats]
    relative: Mapping[str, float]  # mean relative error of the loss -ln(score), where there are scores
    covered: Mapping[int, float]  # percent -> share

    @property
    def n_models(self) -> int:
        """How many models were left out."""
        return len(next(iter(self.misses.values())))


def score_errors(benchmark: Benchmark) -> SiblingErrors:
    """Misses of the mean score of each model with siblings in a benchmark."""
    score = benchmark.mean_score
    series = _of_scores(benchmark)
    forecasts: dict[str, list[float]] = {}
    truth: list[float] = []
    for name, members in series.items():
        others = [s for other, s in series.items() if other != name]
        for i, member in members.items():
            siblings = [s for j, s in members.items() if j != i]
            told = {way: _score(law(member, siblings, [list(o.values()) for o in others])) for way, law in LAWS.items()}
            told["by difficulty"] = _by_difficulty(benchmark.training.score, i, members, others)
            told |= _regressions(benchmark, i)
            for way, value in told.items():
                forecasts.setdefault(way, []).append(value)
            truth.append(float(score[i]))
    true = np.array(truth)
    relative = {way: float(np.mean(np.abs(np.log(true) - np.log(f)) / -np.log(true))) for way, f in forecasts.items()}
    misses = {way: np.abs(np.array(f) - true) for way, f in forecasts.items()}
    return SiblingErrors(misses=MappingProxyType(misses), relative=MappingProxyType(relative), covered={})


def ability_errors(profiles: Sequence[ModelProfile]) -> SiblingErrors:
    """Misses of the general ability of each model with measured siblings in a catalog."""
    law = SiblingLaw.fit(profiles)
    series = {n: m for n, m in measured_series(profiles).items() if len({p.params_total_b for p in m}) > 1}
    misses: dict[str, list[float]] = {}
    surprise: list[float] = []
    for name, members in series.items():
        others = [list(map(_sized, m)) for other, m in series.items() if other[0] != name[0]]
        for profile in members:
            rest = [other for other in members if other.id != profile.id]
            told, known = law.ability(profile, rest), profile.ability["general"]
            if told is None or known.se > _SURE:
                continue
            siblings = [_sized(other) for other in rest]
            forecast = {way: rule(_sized(profile), siblings, others) for way, rule in LAWS.items()}
            forecast["regression on facts"] = _from_facts(profile, profiles).mean
            forecast["shipped"] = told.mean
            for way, value in forecast.items():
                misses.setdefault(way, []).append(abs(value - known.mean))
            surprise.append(abs(told.mean - known.mean) / math.hypot(told.se, known.se))
    z = np.array(surprise)
    return SiblingErrors(
        misses=MappingProxyType({way: np.array(values) for way, values in misses.items()}),
        relative=MappingProxyType({}),
        covered=MappingProxyType({68: float((z < 1).mean()), 90: float((z < 1.645).mean())}),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m eval.newcomers.siblings", description=__doc__)
    folder = os.environ.get("PARETOGATE_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(folder), help="folder of the public datasets")
    args = parser.parse_args(argv)
    try:
        benchmark = read_benchmark("mmlu_pro", data=args.data, prices=read_price_map(None))
    except ParetoGateError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 1
    _print("score on mmlu_pro", score_errors(benchmark))
    _print("ability in the shipped catalog", ability_errors(list(Catalog.load())))
    return 0


def _print(title: str, found: SiblingErrors) -> None:
    sys.stdout.write(f"\n{title}: {found.n_models} models\n\n| forecast by | mean error | largest | of the loss |\n")
    sys.stdout.write("| --- | --- | --- | --- |\n")
    for way, misses in found.misses.items():
        loss = f"{found.relative[way]:.0%}" if way in found.relative else ""
        sys.stdout.write(f"| {way} | {misses.mean():.3f} | {misses.max():.3f} | {loss} |\n")
    for percent, share in found.covered.items():
        sys.stdout.write(f"its {percent} % interval held {share:.0%} of the time\n")


def _of_scores(benchmark: Benchmark) -> dict[tuple[str, str], dict[int, Sized]]:
    """Series of two sizes and more -> position of the model -> what is known of it."""
    series: dict[tuple[str, str], dict[int, Sized]] = {}
    for i, profile in enumerate(benchmark.profiles):
        name = series_of(profile)
        if name is not None and profile.params_total_b is not None:
            level = _level(float(benchmark.mean_score[i]))
            series.setdefault(name, {})[i] = replace(_sized(profile), level=level)
    return {name: members for name, members in series.items() if len(members) > 1}


def _sized(profile: ModelProfile) -> Sized:
    total = profile.params_total_b or math.nan
    active = profile.params_active_b or total
    general, counted = profile.ability.get("general"), profile.derived.get("flops_per_token")
    return Sized(
        name=profile.id.partition("/")[2],
        size_b=math.sqrt(total * active),
        flops=counted.value if counted else 2e9 * active,
        level=general.mean if general else math.nan,
    )


def _regressions(benchmark: Benchmark, at: int) -> dict[str, float]:
    """What a regression over all other models says: on facts alone, and, had it been measured, on its ability."""
    new = np.arange(len(benchmark.profiles)) == at
    bare = [replace(profile, ability=MappingProxyType({})) for profile in benchmark.profiles]
    sizes = np.array([math.log(_sized(p).size_b) if p.params_total_b else math.nan for p in bare])
    dates = benchmark.known[:, -1]
    facts = np.column_stack([np.where(np.isfinite(sizes), sizes, np.nanmean(sizes)), dates])
    columns = {
        "mean of all others": None,
        "regression on size and date": facts,
        "if measured: ability": benchmark.known,
    }
    general_se = {"regression on size and date": np.zeros(len(bare))}
    return {
        way: float(
            forecast_levels(
                known, benchmark.mean_score, general_se.get(way, benchmark.general_se), known=~new, new=new
            )[0]
        )
        for way, known in columns.items()
    }


def _from_facts(profile: ModelProfile, profiles: Sequence[ModelProfile]) -> Ability:
    prior = AbilityPrior().fit([other for other in profiles if other.id != profile.id])
    return prior.estimate(replace(profile, ability=MappingProxyType({})))


def _by_difficulty(
    score: Floats, at: int, members: Mapping[int, Sized], others: Sequence[Mapping[int, Sized]]
) -> float:
    """Clusters of equally hard questions, each moved by its own law, as Clustering On Difficulty does.

    Difficulty is the pass rate of the models of other series. A cluster that does not rise with size is not
    extrapolated: there the siblings' own rate stands.
    """
    strangers = [i for other in others for i in other]
    difficulty = np.nanmean(score[:, strangers], axis=1)  # (n_prompts,)
    edges = np.quantile(difficulty, np.linspace(0, 1, _CLUSTERS + 1)[1:-1])
    cluster = np.searchsorted(edges, difficulty)
    siblings = [i for i in members if i != at]
    expected, weight = [], []
    for k in np.unique(cluster):
        rate = np.nanmean(score[cluster == k], axis=0)  # (n_models,)
        sized = [[replace(s, level=_level(float(rate[i]))) for i, s in other.items()] for other in others]
        own = [replace(members[i], level=_level(float(rate[i]))) for i in siblings]
        moved = _score(LAWS["one sibling, pooled slope"](members[at], own, sized))
        rises = _rises(sized)
        expected.append(moved if rises else float(rate[siblings].mean()))
        weight.append(float((cluster == k).sum()))
    return float(np.average(expected, weights=weight))


def _rises(series: Sequence[Series]) -> bool:
    gains = [max(s, key=lambda m: m.size_b).level - min(s, key=lambda m: m.size_b).level for s in series]
    return float(np.mean(gains)) > 0


def _level(score: float) -> float:
    """Logit between chance and one."""
    share = min(max((score - _CHANCE) / (1.0 - _CHANCE), 0.01), 0.99)
    return math.log(share / (1.0 - share))


def _score(level: float) -> float:
    return _CHANCE + (1.0 - _CHANCE) / (1.0 + math.exp(-level))


if __name__ == "__main__":
    sys.exit(main())
