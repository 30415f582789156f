"""Models of a leaderboard on our scale of ability, in general and on the axis that a benchmark belongs to.

The leaderboard's scores are not pooled with anybody's, nor its editions with each other: each benchmark is held by
itself against the abilities of those of its models that the catalog knows, by a straight line; the line then tells the
ability of the others. Shares of right answers go by their logits, ratings (a metric that says `elo` or `rating`) as
they are: both are logits up to a scale, and the line finds the scale. The line is robust (Huber's loss): one model
that was mistaken for another, or trained on the test, does not bend it.

A benchmark of an axis (maths, code, ...) is held against that axis where enough of its models are known there, else
against the general ability, which is then no news of the axis. Several benchmarks of one ability are joined by inverse
variance.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from catalog.pools.pool import Floats
from catalog.profiles.benchmark_fact import BenchmarkFact
from catalog.profiles.profile import Ability

from .ability import axis_of

__all__ = ["Placement", "place_models"]

_FEWEST = 8  # known models that a benchmark needs before it says anything of others
_FLOOR = 0.005  # scores are held this far from 0 and 1, where the logit has no end
_SMALLEST_SE = 0.15  # nothing that one leaderboard tells is surer than this
_SHARED_SE = 0.25  # what the tests of one leaderboard err by together: its models' settings, its prompts, its day
_HUBER = 1.345  # standard deviations beyond which a model counts for less; keeps 95 % of efficiency on normal errors
_SD_PER_MAD = 1.4826  # standard deviation of normal errors by their median absolute deviation
_ROUNDS = 20  # of reweighting

_Known = Mapping[str, Mapping[str, Ability]]  # id -> axis -> ability


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Abilities by catalog id and axis, and the benchmarks and scores that could not be used, with the reason."""

    abilities: _Known
    unused: Mapping[str, str]
    strange: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # model -> what is wrong with it


def place_models(
    facts: Iterable[BenchmarkFact],
    *,
    ids: Mapping[str, str],
    known: _Known,
    axes: Mapping[str, str] = MappingProxyType({}),
) -> Placement:
    """Abilities of the models of a leaderboard.

    Args:
        facts: shares in [0, 1] or ratings; of several settings of a model the best counts.
        ids: model as the leaderboard writes it -> catalog id.
        known: measured abilities in the catalog.
        axes: benchmark -> axis, where its name does not tell; `general` keeps it off every axis.
    """
    scores, strange = _levels(facts, ids)
    told: dict[str, dict[str, list[tuple[float, float]]]] = {}
    unused: dict[str, str] = {}
    for benchmark, of_benchmark in sorted(scores.items()):
        lines = {axis: _line(of_benchmark, known, axis) for axis in _axes(benchmark, axes)}
        if isinstance(lines["general"], str):
            unused[benchmark] = lines["general"]
        for axis, line in lines.items():
            if isinstance(line, _Line):
                for model, level in of_benchmark.items():
                    told.setdefault(model, {}).setdefault(axis, []).append(line.ability(level))
    abilities = {
        model: {axis: _joined(pairs) for axis, pairs in sorted(of_model.items())}
        for model, of_model in sorted(told.items())
    }
    return Placement(abilities=abilities, unused=unused, strange=strange)


def _levels(
    facts: Iterable[BenchmarkFact], ids: Mapping[str, str]
) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """Benchmark -> model -> logit or rating; and the scores that can be neither."""
    scores: dict[str, dict[str, float]] = {}
    strange: dict[str, str] = {}
    for fact in facts:
        if fact.model not in ids:
            continue
        is_rating = any(word in fact.metric.casefold() for word in ("elo", "rating"))
        if not is_rating and not 0 <= fact.value <= 1:
            problem = f'{fact.value:g} is no share of a full score; set `scale`, or `metric = "elo"` for ratings'
            strange[fact.model] = f"{fact.benchmark}: {problem}"
            continue
        level = fact.value if is_rating else _logit(fact.value)
        of_benchmark, model = scores.setdefault(fact.benchmark, {}), ids[fact.model]
        of_benchmark[model] = max(of_benchmark.get(model, -math.inf), level)
    return scores, strange


def _axes(benchmark: str, stated: Mapping[str, str]) -> Sequence[str]:
    axis = stated.get(benchmark) or axis_of(benchmark)
    return ("general",) if axis in {None, "general"} else ("general", str(axis))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """From ability to a benchmark's score."""

    start: float
    slope: float
    residual: float  # standard deviation of scores about the line

    def ability(self, level: float) -> tuple[float, float]:
        """Ability and its standard error."""
        return (level - self.start) / self.slope, max(self.residual / self.slope, _SMALLEST_SE)


def _line(levels: Mapping[str, float], known: _Known, axis: str) -> _Line | str:
    """The line from ability to score on one axis, or why there is none."""
    anchors = [model for model in levels if axis in known.get(model, {})]
    if len(anchors) < _FEWEST:
        return f"{len(anchors)} of its models have an ability here, {_FEWEST} are needed"
    abilities = [known[model][axis] for model in anchors]
    x = np.array([ability.mean for ability in abilities])  # (n_anchors,)
    y = np.array([levels[model] for model in anchors])
    precision = 1.0 / (np.array([ability.se for ability in abilities]) ** 2 + _SMALLEST_SE**2)
    start, slope, residual = _robust(x, y, precision)
    if slope <= 0:
        return "it does not rise with the ability of the models that are known"
    return _Line(start=start, slope=slope, residual=residual)


def _robust(x: Floats, y: Floats, precision: Floats) -> tuple[float, float, float]:
    """Start, slope and spread by iterated weighting; the spread is that of the middle, not of the strays."""
    weight = precision
    for _ in range(_ROUNDS):
        slope, start = np.polyfit(x, y, 1, w=np.sqrt(weight))
        off = np.abs(y - start - slope * x)
        spread = max(_SD_PER_MAD * float(np.median(off)), 1e-9)
        weight = precision * np.minimum(1.0, _HUBER * spread / np.maximum(off, 1e-12))
    kept = np.sqrt(np.average((y - start - slope * x) ** 2, weights=weight))
    return float(start), float(slope), float(max(kept, spread))


def _joined(pairs: list[tuple[float, float]]) -> Ability:
    """By inverse variance; where benchmarks disagree beyond their errors the joint error is wider (Birge's ratio)."""
    weight = [1.0 / se**2 for _, se in pairs]
    mean = sum(w * a for w, (a, _) in zip(weight, pairs, strict=True)) / sum(weight)
    surprise = sum(w * (a - mean) ** 2 for w, (a, _) in zip(weight, pairs, strict=True))
    ratio = max(1.0, surprise / (len(pairs) - 1)) if len(pairs) > 1 else 1.0
    return Ability(mean=mean, se=math.hypot(math.sqrt(ratio / sum(weight)), _SHARED_SE), n_benchmarks=len(pairs))


def _logit(score: float) -> float:
    share = min(max(score, _FLOOR), 1.0 - _FLOOR)
    return math.log(share / (1.0 - share))
