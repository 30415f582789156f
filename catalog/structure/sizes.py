"""How many parameters a model has, settled between what sources state, what its name says and what its shape counts.

No single source is believed: registries slip (a 2.7B model entered as 13B, an 8.89B one as 88.9), and a number in a
name is not always the size (`17b-16e` names the active part, `8x7b` shares its attention, `e4b` is an effective size).
So a stated size counts only where nothing contradicts it, and the shape, where it is known, has the last word.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from catalog.efficiency.flops import Shape
from catalog.efficiency.footprint import Parameters, count_parameters
from catalog.profiles.provenance import Provenance, Trust

from .architectures import shape_for

__all__ = ["NamedSize", "Size", "named_size", "settled_size", "unsized"]

_OF_SHAPE = 0.15  # norms, biases and towers for images are not counted
_OF_NAME = 1.6  # names round, and some leave the embeddings out
_NAMED = Provenance(source="estimated from the parameters in the name", trust=Trust.INFERRED)
_WITH_ACTIVE = re.compile(r"(?:^|-)(\d+(?:\.\d+)?)([bm])-a(\d+(?:\.\d+)?)([bm])(?=-|$)")
_ACTIVE = re.compile(r"(?:^|-)a(\d+(?:\.\d+)?)([bm])(?=-|$)")
_EXPERTS = re.compile(r"(?:^|-)(\d+(?:\.\d+)?)b-\d+e(?=-|$)")
_LLAMA_4 = re.compile(r"^llama-4-\w+-(17)b(?=-|$)")  # with and without its experts the number is the active part
_TWO = re.compile(r"(?:^|-)(\d+(?:\.\d+)?)b-(\d+(?:\.\d+)?)b(?=-|$)")
_TIMES = re.compile(r"(?:^|-)(\d+x\d+(?:\.\d+)?[bm])(?=-|$)")
_SHARED_ATTENTION = {"8x7b": (46.7, 12.9), "8x22b": (141.0, 39.0)}  # Mixtral and its tunes, by Mistral's own cards
_ONE = re.compile(r"(?:^|-)(\d+(?:\.\d+)?)([bm])(?=-|$)")
_EFFECTIVE = re.compile(r"(?:^|-)e\d+b(?=-|$)")  # `e4b`: as good as a 4B, larger in memory
_FEWEST_MILLIONS = 10  # `1m` is a context window, `135m` a size


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSize:
    """What a name tells, billions; None for what it leaves open."""

    total_b: float | None = None
    active_b: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A settled size with the sources of both numbers."""

    total_b: float | None = None
    total_from: Provenance | None = None
    active_b: float | None = None
    active_from: Provenance | None = None
    refused: tuple[str, ...] = ()  # what sources stated and was not believed


def named_size(key: str) -> NamedSize:
    """Read the sizes off a model's canonical name."""
    if found := _WITH_ACTIVE.search(key):
        return NamedSize(total_b=_billions(found[1], found[2]), active_b=_billions(found[3], found[4]))
    if found := _EXPERTS.search(key) or _LLAMA_4.search(key):
        return NamedSize(active_b=float(found[1]))
    if found := _ACTIVE.search(key):
        return NamedSize(active_b=_billions(found[1], found[2]))
    if found := _TWO.search(key):
        small, large = sorted((float(found[1]), float(found[2])))
        return NamedSize(total_b=large, active_b=small)
    if found := _TIMES.search(key):
        total, active = _SHARED_ATTENTION.get(found[1], (None, None))
        return NamedSize(total_b=total, active_b=active)
    sizes = [_billions(n, unit) for n, unit in _ONE.findall(key) if unit == "b" or float(n) >= _FEWEST_MILLIONS]
    return NamedSize(total_b=sizes[-1] if sizes else None)


def unsized(key: str) -> str:
    """The name without its sizes: what all sizes of one series are called by. Unchanged where it names none."""
    for pattern in (_WITH_ACTIVE, _EXPERTS, _TWO, _TIMES, _EFFECTIVE, _ACTIVE):
        key = pattern.sub("", key)
    return _ONE.sub(lambda found: "" if found[2] == "b" or float(found[1]) >= _FEWEST_MILLIONS else found[0], key)


def settled_size(
    key: str,
    *,
    total: Sequence[tuple[float, Provenance]],
    active: Sequence[tuple[float, Provenance]] = (),
    read_elsewhere: NamedSize | None = None,
) -> Size:
    """The size of the model of this key.

    Args:
        key: its canonical name.
        total: what sources state of all parameters, billions, the best source first.
        active: what they state of those that one token meets.
        read_elsewhere: what the longer names tell by which sources call the model, used where nothing else is known.
    """
    named, known = named_size(key), shape_for(key)
    if read_elsewhere is not None and not _EFFECTIVE.search(key):
        named = NamedSize(
            total_b=named.total_b or (read_elsewhere.total_b if named.active_b is None else None),
            active_b=named.active_b or read_elsewhere.active_b,
        )
    counts = _counts(known[0]) if known else ()
    source = Provenance(source=f"counted from the dimensions by {known[1] if known else ''}", trust=Trust.INFERRED)
    believed = next(((b, s) for b, s in total if _plausible(b, named.total_b, counts)), None)
    if believed is None and counts:
        believed = _round(counts[0].total / 1e9), source
    if believed is None and named.total_b is not None:
        believed = named.total_b, _NAMED
    met = _active(active, named, total_b=believed[0] if believed else None)
    if met is None and counts and counts[0].active < counts[0].total:
        met = _round(counts[0].active / 1e9), source
    return Size(
        total_b=believed[0] if believed else None,
        total_from=believed[1] if believed else None,
        active_b=met[0] if met else None,
        active_from=met[1] if met else None,
        refused=tuple(f"{s.source} states {b:g}B" for b, s in total if not _plausible(b, named.total_b, counts)),
    )


def _counts(shape: Shape) -> tuple[Parameters, ...]:
    """What the shape counts; both ways where nobody says whether input and output share an embedding."""
    ways = (shape,) if shape.tied is not None else (shape, replace(shape, tied=True), replace(shape, tied=False))
    return tuple(counted for way in ways if (counted := count_parameters(way)) is not None)


def _plausible(stated_b: float, named_b: float | None, counts: Sequence[Parameters]) -> bool:
    if counts:
        return any(abs(stated_b * 1e9 / counted.total - 1) <= _OF_SHAPE for counted in counts)
    return named_b is None or named_b / _OF_NAME <= stated_b <= named_b * _OF_NAME


def _active(
    stated: Sequence[tuple[float, Provenance]], named: NamedSize, *, total_b: float | None
) -> tuple[float, Provenance] | None:
    for value, told_by in stated:
        if total_b is None or value < total_b:
            return value, told_by
    if named.active_b is not None and (total_b is None or named.active_b < total_b):
        return named.active_b, _NAMED
    return None


def _billions(number: str, unit: str) -> float:
    return float(number) * (1.0 if unit == "b" else 1e-3)


def _round(value: float) -> float:
    return float(f"{value:.3g}")
