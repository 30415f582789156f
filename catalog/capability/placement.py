"""Models of a leaderboard on the catalog's own scale of ability.

The leaderboard's scores are not pooled with anybody's: each of its benchmarks is held, on the logit scale, against the
abilities of those of its models that the catalog knows, by a straight line weighted by how well these are known; the
line then tells the ability of the others. What the catalog knew of a model and what the leaderboard tells are joined
by inverse variance.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from catalog.benchmark_fact import BenchmarkFact
from catalog.profile import Ability

__all__ = ["Placement", "place_models"]

_FEWEST = 8  # known models that a benchmark needs before it says anything of others
_FLOOR = 0.005  # scores are held this far from 0 and 1, where the logit has no end
_SMALLEST_SE = 0.15  # nothing that one leaderboard tells is surer than this


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Abilities by catalog id, and the benchmarks that could not be used, with the reason."""

    abilities: Mapping[str, Ability]
    unused: Mapping[str, str]


def place_models(facts: Iterable[BenchmarkFact], *, ids: Mapping[str, str], known: Mapping[str, Ability]) -> Placement:
    """Abilities of the models of a leaderboard.

    Args:
        facts: scores in [0, 1]; of several settings of a model the best counts.
        ids: model as the leaderboard writes it -> catalog id.
        known: general abilities in the catalog, by id.
    """
    scores: dict[str, dict[str, float]] = {}
    for fact in facts:
        if fact.model in ids and 0 <= fact.value <= 1:
            of_benchmark, model = scores.setdefault(fact.benchmark, {}), ids[fact.model]
            of_benchmark[model] = max(of_benchmark.get(model, 0.0), fact.value)
    told: dict[str, list[tuple[float, float]]] = {}
    unused: dict[str, str] = {}
    for benchmark, of_benchmark in sorted(scores.items()):
        anchors = [model for model in of_benchmark if model in known]
        if len(anchors) < _FEWEST:
            unused[benchmark] = f"{len(anchors)} of its models have an ability here, {_FEWEST} are needed"
            continue
        line = _line([_logit(of_benchmark[m]) for m in anchors], [known[m] for m in anchors])
        if line is None:
            unused[benchmark] = "it does not rise with the ability of the models that are known"
            continue
        for model, score in of_benchmark.items():
            told.setdefault(model, []).append(line.ability(_logit(score)))
    return Placement(abilities={model: _joined(pairs) for model, pairs in sorted(told.items())}, unused=unused)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    start: float
    slope: float
    residual: float

    def ability(self, logit: float) -> tuple[float, float]:
        """Ability and its standard error."""
        return (logit - self.start) / self.slope, max(self.residual / self.slope, _SMALLEST_SE)


def _line(logits: list[float], abilities: list[Ability]) -> _Line | None:
    x = np.array([ability.mean for ability in abilities])  # (n_anchors,)
    weight = 1.0 / (np.array([ability.se for ability in abilities]) ** 2 + _SMALLEST_SE**2)
    slope, start = np.polyfit(x, np.array(logits), 1, w=np.sqrt(weight))
    if slope <= 0:
        return None
    residual = float(np.sqrt(np.average((np.array(logits) - start - slope * x) ** 2, weights=weight)))
    return _Line(start=float(start), slope=float(slope), residual=residual)


def _joined(pairs: list[tuple[float, float]]) -> Ability:
    weight = [1.0 / se**2 for _, se in pairs]
    mean = sum(w * a for w, (a, _) in zip(weight, pairs, strict=True)) / sum(weight)
    return Ability(mean=mean, se=math.sqrt(1.0 / sum(weight)), n_benchmarks=len(pairs))


def _logit(score: float) -> float:
    share = min(max(score, _FLOOR), 1.0 - _FLOOR)
    return math.log(share / (1.0 - share))
