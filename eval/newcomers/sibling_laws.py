"""Ways to forecast an unmeasured size from measured sizes of its series: published laws and plain baselines.

Every way gets the same: sizes and levels of the siblings, and other series, whole, to learn its constants from. Levels
are logits (of a score between chance and one, or abilities, which are logits already).

    density     a series has one density, so its gap to the ceiling shrinks with a power of size (arXiv 2412.04315)
    capacity    a series has one information capacity, so its loss in bits falls with log2 of operations; what a bit is
                worth is learned from other series (arXiv 2511.08066)
    one sibling the size term of a loss law with the published exponent, pooled over other series (arXiv 2410.11840)

The constants of the first two were not published for these levels and are fitted: they are ours.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from catalog.efficiency.scaling_law import MUENNIGHOFF

__all__ = ["LAWS", "Series", "Sized", "published_capacity"]

_POWERS = np.linspace(0.05, 0.6, 12)
_CEILINGS = np.linspace(0.25, 4.0, 16)  # above the best level of the other series
_TYPICAL_CAPACITY = 0.2
# Read off the figure of arXiv 2511.08066, mean over sizes; series that are not in it are taken as typical.
_CAPACITY = (("qwen3", 0.2056), ("qwen1.5", 0.1995), ("llama-3", 0.1758), ("gemma-3", 0.1583))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """One measured size."""

    name: str
    size_b: float  # geometric mean of all and the active parameters
    flops: float
    level: float


Series = Sequence[Sized]


def published_capacity(name: str) -> float:
    """Information capacity of a series by its name."""
    return next((capacity for start, capacity in _CAPACITY if name.startswith(start)), _TYPICAL_CAPACITY)


def _nearest(target: Sized, siblings: Series, _others: Sequence[Series]) -> float:
    return min(siblings, key=lambda s: abs(math.log(s.size_b / target.size_b))).level


def _mean(_target: Sized, siblings: Series, _others: Sequence[Series]) -> float:
    return float(np.mean([s.level for s in siblings]))


def _one_sibling(target: Sized, siblings: Series, others: Sequence[Series]) -> float:
    return _moved(target, siblings, others, lambda s: -(s.size_b**-MUENNIGHOFF.size_power))


def _capacity(target: Sized, siblings: Series, others: Sequence[Series]) -> float:
    return _moved(target, siblings, others, lambda s: published_capacity(s.name) * math.log2(s.flops))


def _density(target: Sized, siblings: Series, others: Sequence[Series]) -> float:
    best = max(s.level for series in (*others, siblings) for s in series)
    power, ceiling = min(
        ((p, best + c) for p in _POWERS for c in _CEILINGS),
        key=lambda pair: sum(_miss(s, o, *pair) ** 2 for series in others for s in series for o in series if s != o),
    )
    return float(np.mean([_same_density(target, s, power, ceiling) for s in siblings]))


def _miss(target: Sized, sibling: Sized, power: float, ceiling: float) -> float:
    return _same_density(target, sibling, power, ceiling) - target.level


def _same_density(target: Sized, sibling: Sized, power: float, ceiling: float) -> float:
    gap: float = (ceiling - sibling.level) * (target.size_b / sibling.size_b) ** -power
    return ceiling - gap


def _moved(target: Sized, siblings: Series, others: Sequence[Series], term: Callable[[Sized], float]) -> float:
    """The siblings' mean level, moved by the pooled slope of the level on a term of size."""
    above = below = 0.0
    for series in others:
        terms, levels = np.array([term(s) for s in series]), np.array([s.level for s in series])
        above += float((terms - terms.mean()) @ (levels - levels.mean()))
        below += float(((terms - terms.mean()) ** 2).sum())
    slope = above / below if below else 0.0
    return float(np.mean([s.level + slope * (term(target) - term(s)) for s in siblings]))


LAWS: Mapping[str, Callable[[Sized, Series, Sequence[Series]], float]] = MappingProxyType(
    {
        "mean of its siblings": _mean,
        "nearest sibling": _nearest,
        "same capacity": _capacity,
        "same density": _density,
        "one sibling, pooled slope": _one_sibling,
    }
)
