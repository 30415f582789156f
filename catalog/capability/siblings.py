"""The ability of a size that nobody measured, from the measured sizes of its series.

A series is what goes by one name but for the size: `llama-3.1-{8b,70b,405b}-instruct`. Each measured sibling tells

    ability(N) = ability(M) + worth x (M^-0.3527 - N^-0.3527)

in billions of parameters, of a mixture the geometric mean of all and the active ones. The exponent is the published
one; what size is worth is pooled over the other owners' series. Abilities are thought to wander about this law as a
random walk does in the logarithm of size, so a sibling far away in size tells less, and its error says so. No forecast
is surer than four percent of the loss, which is about the best that such laws reach.

Source: the rule of one measured sibling and a pooled slope, and its error: Choshen et al., A Hitchhiker's Guide to
Scaling Law Estimation, arXiv 2410.11840; the random walk is ours.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType

from catalog.efficiency.scaling_law import BEST_ERROR, MUENNIGHOFF
from catalog.errors import InvalidMeasurementError
from catalog.profiles.profile import Ability, ModelProfile
from catalog.profiles.provenance import Provenance, Trust
from catalog.structure.sizes import unsized

__all__ = ["SiblingLaw", "measured_series", "series_of", "with_siblings"]

_FEWEST = 10  # models with a measured sibling, to learn what size is worth
_SAME_SIZE = 1.05  # sizes nearer than this are one size
_MOST_WANDERING = 4.0  # squared logits per e-fold of size


@dataclass(frozen=True, slots=True, kw_only=True)
class SiblingLaw:
    """What size is worth within a series, and how far abilities wander about it."""

    worth: float
    worth_without: Mapping[str, float]  # owner -> the same, learned from everybody else's series
    wandering: float  # variance per e-fold of size, squared logits
    n_models: int
    n_series: int

    @classmethod
    def fit(cls, profiles: Iterable[ModelProfile]) -> "SiblingLaw":
        """Learn from every series with two measured sizes.

        Raises:
            InvalidMeasurementError: there are too few of them.
        """
        series = tuple(members for members in measured_series(profiles).values() if _sizes(members) >= 2)
        n_models = sum(map(len, series))
        owners = {members[0].owner for members in series}
        if n_models < _FEWEST or len(owners) < 2:
            problem = f"a law of siblings needs {_FEWEST} measured models of two owners' series, not {n_models}"
            raise InvalidMeasurementError(problem)
        without = {owner: _worth([m for m in series if m[0].owner != owner]) for owner in sorted(owners)}
        law = cls(
            worth=_worth(series),
            worth_without=MappingProxyType(without),
            wandering=0.0,
            n_models=n_models,
            n_series=len(series),
        )
        return replace(law, wandering=_wandering(law, series))

    def ability(self, profile: ModelProfile, siblings: Sequence[ModelProfile]) -> Ability | None:
        """What the measured siblings tell of a size; None where none of them has another size."""
        told = [pair for sibling in siblings if (pair := self._told_by(sibling, profile)) is not None]
        if not told:
            return None
        weight = [1.0 / variance for _, variance in told]
        mean = sum(w * value for w, (value, _) in zip(weight, told, strict=True)) / sum(weight)
        return Ability(mean=mean, se=math.hypot(math.sqrt(1.0 / sum(weight)), _least_error(mean)))

    def _told_by(self, sibling: ModelProfile, profile: ModelProfile) -> tuple[float, float] | None:
        """Ability and its variance as one sibling tells it."""
        size, other = _size(profile), _size(sibling)
        if size is None or other is None or not _apart(size, other):
            return None
        known = sibling.ability["general"]
        worth = self.worth_without.get(profile.owner, self.worth)
        moved = worth * (_term(other) - _term(size))
        return known.mean + moved, known.se**2 + self.wandering * abs(math.log(size / other))


def series_of(profile: ModelProfile) -> tuple[str, str] | None:
    """Owner and name without the size; None where the name tells none."""
    key = profile.id.partition("/")[2]
    name = unsized(key)
    return None if name == key else (profile.owner, name)


def measured_series(profiles: Iterable[ModelProfile]) -> dict[tuple[str, str], tuple[ModelProfile, ...]]:
    """Series -> its models whose size is known and whose ability was measured."""
    series: dict[tuple[str, str], tuple[ModelProfile, ...]] = {}
    for profile in profiles:
        name = series_of(profile)
        if name is not None and profile.params_total_b is not None and profile.has_measured_ability:
            series[name] = (*series.get(name, ()), profile)
    return series


def with_siblings(profiles: Iterable[ModelProfile]) -> tuple[ModelProfile, ...]:
    """The profiles, with a general ability told by siblings where none is known; all unchanged where no law holds."""
    known = tuple(profiles)
    try:
        law = SiblingLaw.fit(known)
    except InvalidMeasurementError:
        return known
    series = measured_series(known)
    return tuple(_filled(profile, law, series) for profile in known)


def _filled(
    profile: ModelProfile, law: SiblingLaw, series: Mapping[tuple[str, str], Sequence[ModelProfile]]
) -> ModelProfile:
    name = series_of(profile)
    if name is None or "general" in profile.ability:
        return profile
    siblings = series.get(name, ())
    ability = law.ability(profile, siblings)
    if ability is None:
        return profile
    names = ", ".join(sibling.id.partition("/")[2] for sibling in siblings)
    source = Provenance(
        source=f"inferred from {names} by what size is worth in {law.n_series} series, arXiv 2410.11840",
        trust=Trust.INFERRED,
    )
    return replace(
        profile,
        ability=MappingProxyType({**profile.ability, "general": ability}),
        provenance=MappingProxyType({**profile.provenance, "ability": source}),
    )


def _worth(series: Sequence[Sequence[ModelProfile]]) -> float:
    """The pooled slope of ability on the law's term of size, each series keeping its own level."""
    above = below = 0.0
    for members in series:
        weight = [1.0 / member.ability["general"].se ** 2 for member in members]
        terms = [-_term(size) for member in members if (size := _size(member)) is not None]
        means = [member.ability["general"].mean for member in members]
        term = sum(w * t for w, t in zip(weight, terms, strict=True)) / sum(weight)
        level = sum(w * a for w, a in zip(weight, means, strict=True)) / sum(weight)
        above += sum(w * (t - term) * (a - level) for w, t, a in zip(weight, terms, means, strict=True))
        below += sum(w * (t - term) ** 2 for w, t in zip(weight, terms, strict=True))
    return above / below if below > 0 else 0.0


def _wandering(law: SiblingLaw, series: Sequence[Sequence[ModelProfile]]) -> float:
    """The variance at which forecasts of models left out miss by as much as they say, found by halving."""
    low, high = 0.0, _MOST_WANDERING
    for _ in range(40):
        middle = (low + high) / 2
        surprise = _surprise(replace(law, wandering=middle), series)
        low, high = (middle, high) if surprise > 1.0 else (low, middle)
    return high


def _surprise(law: SiblingLaw, series: Sequence[Sequence[ModelProfile]]) -> float:
    """Mean squared miss of each model from its siblings, by the variance that was told."""
    squares: list[float] = []
    for members in series:
        for member in members:
            told = law.ability(member, [other for other in members if other.id != member.id])
            if told is not None:
                known = member.ability["general"]
                squares.append((told.mean - known.mean) ** 2 / (told.se**2 + known.se**2))
    return sum(squares) / len(squares)


def _least_error(ability: float) -> float:
    """Four percent of the loss -ln(score) of a typical benchmark, in logits of ability."""
    loss = math.log1p(math.exp(-ability))
    return BEST_ERROR * loss * (1.0 + math.exp(ability))


def _term(size_b: float) -> float:
    return math.pow(size_b, -MUENNIGHOFF.size_power)


def _size(profile: ModelProfile) -> float | None:
    total = profile.params_total_b
    return None if total is None else math.sqrt(total * (profile.params_active_b or total))


def _sizes(members: Sequence[ModelProfile]) -> int:
    """How many sizes that are apart."""
    sizes = sorted(size for member in members if (size := _size(member)) is not None)
    return 1 + sum(_apart(small, large) for small, large in pairwise(sizes))


def _apart(one: float, other: float) -> bool:
    return max(one, other) >= _SAME_SIZE * min(one, other)
