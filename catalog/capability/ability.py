"""One latent ability per model, from whatever benchmarks it has.

A score of model i on benchmark b is, on the logit scale, level_b + loading_b x ability_i + noise. Levels, loadings and
noise of each benchmark and the ability of each model are estimated together, by expectation maximisation for a
one-factor model with missing entries: a benchmark that agrees with the others counts for more, a model with few
scores is drawn towards what models of its date are like, and its standard error says so. An axis (maths, code, ...) is
the general ability plus a deviation that only the axis' own benchmarks inform.

The date matters because tests change with the models: a hard new test that only the newest models took would look
easy, and they weak, if they were drawn towards the average of all years. Rounds that are cheap come first; in the last
few, all abilities and levels are solved for together, so that an error holds how well the levels are known, too.

Each benchmark is a protocol of its own: editions and re-runs by others are never pooled, for prompts, shots and
subsets differ. Of several settings of one model (effort, thinking, prompted or native calls) the best is taken.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Self

import numpy as np
import numpy.typing as npt

from catalog.pools.pool import Floats
from catalog.profiles.profile import Ability

__all__ = ["AXES", "AbilityModel", "Score", "axis_of", "estimate_abilities"]

AXES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "knowledge": (
            "*mmlu*", "*gpqa*", "*triviaqa*", "*naturalquestions_closed*", "*simpleqa*", "*medqa*", "*openbookqa*",
            "*arc_ai2*", "arc-c", "*scienceqa*", "*legalbench*", "*humanity*",
        ),
        "maths": ("*gsm8k*", "*math*", "*aime*", "mgsm"),
        "code": (
            "*aider*", "*humaneval*", "*mbpp*", "*livecodebench*", "*swe[-_]bench*", "*terminal*", "*scicode*",
            "*weirdml*", "multipl-e", "*gso_bench*", "*cadeval*",
        ),
        "tools": ("bfcl_*", "tau-bench*", "tau2*"),
        "writing": ("*writing*", "*wildbench*", "arena_hard*", "arena-hard*"),
    }
)  # fmt: skip
_FLOOR = 0.005  # scores are held this far from 0 and 1, where the logit has no end
_SELF_REPORTED_VARIANCE = 0.15  # logits squared: makers' own prompts and samples differ from those of third parties
_UNKNOWN_N = 250  # questions, where the source does not say
_NOISE_PRIOR = (4.0, 0.12)  # weight in scores and variance in squared logits
_LOADING_PRIOR = (6.0, 1.0)  # precision and mean: without evidence one logit of ability is one logit of score
_AXIS_VARIANCE = 0.25  # of an axis' deviation from the general ability, squared logits
_ROUNDS = 80
_SETTLING = 8  # rounds that solve for everything together
_NO_TREND = 0.1  # ridge on the trend with the date
_DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One result: the share of a benchmark's questions that a model got right, or a score mapped to 0..1."""

    model: str
    benchmark: str
    score: float
    n: int | None = None
    self_reported: bool = False


class AbilityModel:
    """The one-factor model. Benchmarks with fewer than `min_models` models are left out: nothing places them.

    Learned: `models_`, `benchmarks_`, `mean_` and `se_` of shape (n_models,), `level_`, `loading_` and `noise_`
    (a variance) of shape (n_benchmarks,), `sd_` of abilities. The average model's ability is 0 and the average
    loading 1, so abilities are in logits of a typical benchmark.
    """

    mean_: Floats
    se_: Floats
    level_: Floats
    loading_: Floats
    noise_: Floats

    def __init__(self, *, min_models: int = 10, rounds: int = _ROUNDS) -> None:
        self.min_models = min_models
        self.rounds = rounds

    def fit(self, scores: Iterable[Score], *, released: Mapping[str, date] = MappingProxyType({})) -> Self:
        """Learn from scores; the order they come in does not matter.

        Args:
            scores: results of any models on any benchmarks.
            released: model -> its date; a model without one is expected to be like the average.
        """
        table = _best_setting(scores)
        covered: dict[str, int] = {}
        for _, benchmark in table:
            covered[benchmark] = covered.get(benchmark, 0) + 1
        rows = sorted(key for key in table if covered[key[1]] >= self.min_models)
        self.models_ = tuple(sorted({model for model, _ in rows}))
        self.benchmarks_ = tuple(sorted({benchmark for _, benchmark in rows}))
        at_model = {model: i for i, model in enumerate(self.models_)}
        at_benchmark = {benchmark: i for i, benchmark in enumerate(self.benchmarks_)}
        self._model = np.array([at_model[m] for m, _ in rows], dtype=np.intp)  # (n_scores,)
        self._benchmark = np.array([at_benchmark[b] for _, b in rows], dtype=np.intp)  # (n_scores,)
        chosen = [table[key] for key in rows]
        self._logit, self._variance = _logits(chosen)
        self._start(released)
        for _ in range(self.rounds if rows else 0):
            self._place_benchmarks()
            self._place_models()
            self._anchor()
        for _ in range(_SETTLING if rows else 0):
            self._place_benchmarks()
            self._settle()
            self._anchor()
        self.se_ = np.asarray(self.se_ * self._misfit())
        return self

    def abilities(self, axes: Mapping[str, Sequence[str]] = AXES) -> dict[str, dict[str, Ability]]:
        """Model -> axis -> ability: `general` for every model, an axis where the model has a benchmark of it."""
        counts = np.bincount(self._model, minlength=len(self.models_))
        found = {
            model: {"general": Ability(mean=float(self.mean_[i]), se=float(self.se_[i]), n_benchmarks=int(counts[i]))}
            for i, model in enumerate(self.models_)
        }
        for axis, patterns in axes.items():
            of_axis = np.array([_matches(b, patterns) for b in self.benchmarks_], dtype=bool)
            for i, ability in self._on_axis(of_axis[self._benchmark]):
                found[self.models_[i]][axis] = ability
        return found

    def _start(self, released: Mapping[str, date]) -> None:
        n_models, n_benchmarks = len(self.models_), len(self.benchmarks_)
        self.mean_ = np.zeros(n_models)
        self.se_ = np.ones(n_models)
        self.sd_ = 1.0
        self.loading_ = np.ones(n_benchmarks)
        self.noise_ = np.full(n_benchmarks, 0.5)
        seen = np.maximum(np.bincount(self._benchmark, minlength=n_benchmarks), 1)
        self.level_ = np.bincount(self._benchmark, self._logit, n_benchmarks) / seen
        days = np.array([released[m].toordinal() if m in released else np.nan for m in self.models_], dtype=np.float64)
        dated = np.isfinite(days)
        middle = float(days[dated].mean()) if dated.any() else 0.0
        self._years = np.where(dated, (days - middle) / _DAYS_PER_YEAR, 0.0)  # (n_models,)
        self._expected = np.zeros(n_models)
        self._place_models()

    def _place_models(self) -> None:
        """Posterior of each ability, benchmarks held fixed."""
        weight = 1.0 / (self.noise_[self._benchmark] + self._variance)
        loading = self.loading_[self._benchmark]
        residual = self._logit - self.level_[self._benchmark]
        precision = 1.0 / self.sd_**2 + np.bincount(self._model, weight * loading**2, len(self.models_))
        told = np.bincount(self._model, weight * loading * residual, len(self.models_))
        self.mean_ = (told + self._expected / self.sd_**2) / precision
        self.se_ = np.sqrt(1.0 / precision)

    def _settle(self) -> None:
        """Posterior of all abilities and levels together, loadings and noise held fixed."""
        n, at = len(self.models_), len(self.models_) + self._benchmark
        weight = 1.0 / (self.noise_[self._benchmark] + self._variance)
        loading = self.loading_[self._benchmark]
        size = n + len(self.benchmarks_)
        precision = np.zeros((size, size))
        own = np.bincount(self._model, weight * loading**2, size) + np.bincount(at, weight, size)
        precision[np.diag_indices(size)] = own + np.where(np.arange(size) < n, 1.0 / self.sd_**2, 1e-6)
        np.add.at(precision, (self._model, at), weight * loading)
        np.add.at(precision, (at, self._model), weight * loading)
        told = np.asarray(np.bincount(self._model, weight * loading * self._logit, size), dtype=np.float64)
        told = told + np.bincount(at, weight * self._logit, size)
        told[:n] = told[:n] + self._expected / self.sd_**2
        covariance = np.linalg.inv(precision)
        solved = covariance @ told
        self.mean_, self.level_ = solved[:n], solved[n:]
        self.se_ = np.sqrt(np.diag(covariance)[:n])

    def _place_benchmarks(self) -> None:
        """Level, loading and noise of each benchmark, abilities held at their posterior."""
        n = len(self.benchmarks_)
        weight = 1.0 / (self.noise_[self._benchmark] + self._variance)
        ability, spread = self.mean_[self._model], self.se_[self._model] ** 2
        s0 = np.bincount(self._benchmark, weight, n) + 1e-9
        s1 = np.bincount(self._benchmark, weight * ability, n)
        s2 = np.bincount(self._benchmark, weight * (ability**2 + spread), n) + _LOADING_PRIOR[0]
        t0 = np.bincount(self._benchmark, weight * self._logit, n)
        t1 = np.bincount(self._benchmark, weight * ability * self._logit, n) + _LOADING_PRIOR[0] * _LOADING_PRIOR[1]
        self.loading_ = np.clip((t1 - s1 * t0 / s0) / np.maximum(s2 - s1**2 / s0, 1e-9), 0.05, 4.0)
        self.level_ = (t0 - self.loading_ * s1) / s0
        fitted = self.level_[self._benchmark] + self.loading_[self._benchmark] * ability
        excess = (self._logit - fitted) ** 2 + self.loading_[self._benchmark] ** 2 * spread - self._variance
        seen = np.bincount(self._benchmark, minlength=n)
        prior_weight, prior = _NOISE_PRIOR
        pooled = np.bincount(self._benchmark, excess, n) + prior_weight * prior
        self.noise_ = np.maximum(pooled / (seen + prior_weight), 0.02)

    def _anchor(self) -> None:
        """Fix what the data leave open: zero is the average model, and the average loading is one."""
        scale = float(np.mean(self.loading_))
        shift = float(np.mean(self.mean_))
        self.level_ = self.level_ + self.loading_ * shift
        self.mean_ = (self.mean_ - shift) * scale
        self.se_ = self.se_ * scale
        self.loading_ = self.loading_ / scale
        self._expect()

    def _expect(self) -> None:
        """What a model of its date is expected to be able to do, and how far models stray from that."""
        weight = 1.0 / (self.se_**2 + self.sd_**2)
        trend = float(weight @ (self._years * self.mean_)) / (float(weight @ self._years**2) + _NO_TREND)
        self._expected = trend * self._years
        self.sd_ = math.sqrt(float(np.mean((self.mean_ - self._expected) ** 2 + self.se_**2)))

    def _misfit(self) -> Floats:
        """How many times wider a model's scores spread than their noise explains, at least 1, shape (n_models,).

        A model that is strong in one thing and weak in another has no single ability: its error must say so.
        """
        n = len(self.models_)
        loading = self.loading_[self._benchmark]
        residual = self._logit - self.level_[self._benchmark] - loading * self.mean_[self._model]
        surprise = residual**2 / (self.noise_[self._benchmark] + self._variance)
        pooled = (np.bincount(self._model, surprise, n) + 2.0) / (np.bincount(self._model, minlength=n) + 2.0)
        widened: Floats = np.sqrt(np.maximum(pooled, 1.0))
        return widened

    def _on_axis(self, chosen: npt.NDArray[np.bool_]) -> list[tuple[int, Ability]]:
        model, benchmark = self._model[chosen], self._benchmark[chosen]
        loading = self.loading_[benchmark]
        weight = 1.0 / (self.noise_[benchmark] + self._variance[chosen])
        residual = self._logit[chosen] - self.level_[benchmark] - loading * self.mean_[model]
        n = len(self.models_)
        precision = 1.0 / _AXIS_VARIANCE + np.bincount(model, weight * loading**2, n)
        deviation = np.bincount(model, weight * loading * residual, n) / precision
        counts = np.bincount(model, minlength=n)
        return [
            (
                int(i),
                Ability(
                    mean=float(self.mean_[i] + deviation[i]),
                    se=float(math.sqrt(1.0 / precision[i] + self.se_[i] ** 2)),
                    n_benchmarks=int(counts[i]),
                ),
            )
            for i in np.flatnonzero(counts)
        ]


def estimate_abilities(
    scores: Iterable[Score],
    *,
    exclude: Sequence[str] = (),
    axes: Mapping[str, Sequence[str]] = AXES,
    min_models: int = 10,
    released: Mapping[str, date] = MappingProxyType({}),
) -> dict[str, dict[str, Ability]]:
    """Model -> axis -> ability.

    Args:
        scores: results of any models on any benchmarks.
        exclude: patterns of benchmarks to leave out: whoever predicts a benchmark must not have seen it.
        axes: axis -> patterns of its benchmarks.
        min_models: benchmarks with fewer models than this are left out.
        released: model -> its date, where it is known.
    """
    kept = [score for score in scores if not _matches(score.benchmark, exclude)]
    return AbilityModel(min_models=min_models).fit(kept, released=released).abilities(axes)


def axis_of(benchmark: str) -> str | None:
    """The axis that a benchmark belongs to by its name, None for a general one."""
    return next((axis for axis, patterns in AXES.items() if _matches(benchmark, patterns)), None)


def _matches(benchmark: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(benchmark.casefold(), pattern.casefold()) for pattern in patterns)


def _best_setting(scores: Iterable[Score]) -> dict[tuple[str, str], Score]:
    best: dict[tuple[str, str], Score] = {}
    for score in scores:
        if not math.isfinite(score.score):
            continue
        key = (score.model, score.benchmark)
        if key not in best or score.score > best[key].score:
            best[key] = score
    return best


def _logits(scores: Sequence[Score]) -> tuple[Floats, Floats]:
    """Logits and their sampling variance (binomial, by the delta method), each of shape (n_scores,)."""
    share = np.clip(np.array([s.score for s in scores], dtype=np.float64), _FLOOR, 1.0 - _FLOOR)
    n = np.array([s.n or _UNKNOWN_N for s in scores], dtype=np.float64)
    claimed = np.array([_SELF_REPORTED_VARIANCE if s.self_reported else 0.0 for s in scores], dtype=np.float64)
    return np.log(share / (1.0 - share)), 1.0 / (np.maximum(n, 1.0) * share * (1.0 - share)) + claimed
