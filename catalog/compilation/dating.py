"""When a model was released and what it knows: settled between sources, the name and each other.

No single source is believed. Registries err (DeepSeek-V3.1 was entered seven months early, Llama 3.1 8B half a year
late), a first of January is mostly a placeholder, and hosts state the day on which they began to sell the model. So:

- The date counts that most sources agree on within a month; of equally supported ones that of the source nearest to
  the maker.
- Hosts are asked only where no other source states a date.
- Where the model's name has a date, claims that are far from it do not count; it is the date itself where none is near.
- What a model knows cannot end after its release: of two dates that contradict each other the release goes where it is
  a bare month or year, else the end of knowledge.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from types import MappingProxyType

from catalog.finding import Finding
from catalog.profiles.profile import ModelProfile
from catalog.profiles.provenance import Provenance

from .from_name import NAMED
from .rows import Row, day_of, is_hosts, source_of

__all__ = ["OF_MONTH", "OF_NAME", "day_in_name", "with_dates", "without_late_cutoff"]

_AGREE = timedelta(days=31)  # sources this near to each other mean the same day
OF_NAME = timedelta(days=75)  # names carry the snapshot's month, and models appear some weeks later
OF_MONTH = timedelta(days=31)  # a day that stands for its month is wrong by at most this
_IN_NAME = re.compile(r"-(?:(20\d\d)(\d\d)(\d\d)|(2[3-9])(0[1-9]|1[0-2]))(?=-|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """A day that a source states."""

    day: date
    precise: bool  # a whole date, and not the first of a month or year that stands for more
    voter: str  # who says so: several claims of one source are one vote
    source: Provenance


def with_dates(profile: ModelProfile, rows: Sequence[Row], refused: list[Finding]) -> ModelProfile:
    """The profile with settled dates; what sources stated and was not believed becomes a finding."""
    registries = [row for row in rows if not is_hosts(row)]
    released = _settled(profile.id, _claims(registries, "release_date"))
    if released is None:
        hosts = _claims(rows, "release_date", by="provider")
        released = _settled(profile.id, sorted(hosts, key=lambda claim: claim.day))  # of equals the first to sell it
    cutoffs = _claims(registries, "knowledge_cutoff")
    cutoff = next((c for c in cutoffs if released is None or c.day <= released.day + OF_MONTH), None)
    if cutoff is None and cutoffs and released is not None and not released.precise:
        cutoff, released = cutoffs[0], None
    _tell(profile.id, "released", _claims(registries, "release_date"), released, refused)
    _tell(profile.id, "knowledge_cutoff", [c for c in cutoffs if released and c.day > released.day], cutoff, refused)
    found = {"released": released, "knowledge_cutoff": cutoff}
    sources = {name: claim.source for name, claim in found.items() if claim is not None}
    return replace(
        profile,
        released=released.day if released else None,
        knowledge_cutoff=cutoff.day if cutoff else None,
        provenance=MappingProxyType({**profile.provenance, **sources}),
    )


def without_late_cutoff(profile: ModelProfile) -> ModelProfile:
    """The profile, without a knowledge cutoff that lies after its release."""
    released, cutoff = profile.released, profile.knowledge_cutoff
    if released is None or cutoff is None or cutoff <= released + OF_MONTH:
        return profile
    sources = {name: source for name, source in profile.provenance.items() if name != "knowledge_cutoff"}
    return replace(profile, knowledge_cutoff=None, provenance=MappingProxyType(sources))


def day_in_name(key: str) -> date | None:
    """The day or month that a name carries, `-20250219` or `-2507`; None where it carries none."""
    found = _IN_NAME.search(key)
    if found is None:
        return None
    year, month, day, short, of_year = found.groups()
    return day_of(f"{year}-{month}-{day}" if year else f"20{short}-{of_year}")


def _claims(rows: Sequence[Row], name: str, *, by: str = "source") -> list[_Claim]:
    claims: list[_Claim] = []
    for row in rows:
        day = day_of(row[name])
        if day is not None:
            precise = len(row[name]) == len("2025-01-31") and (day.month, day.day) != (1, 1)
            claims.append(_Claim(day=day, precise=precise, voter=str(row[by]), source=source_of(row)))
    return claims


def _settled(model_id: str, claims: Sequence[_Claim]) -> _Claim | None:
    named = day_in_name(model_id)
    if named is not None and claims:
        claims = [claim for claim in claims if abs(claim.day - named) <= OF_NAME] or [
            _Claim(day=named, precise=False, voter="name", source=NAMED)
        ]
    if not claims:
        return None
    believed = max(claims, key=lambda claim: (_support(claim, claims), claim.precise))  # of equals the first
    return next((c for c in claims if c.precise and abs(c.day - believed.day) <= _AGREE), believed)


def _support(claim: _Claim, claims: Sequence[_Claim]) -> int:
    return len({other.voter for other in claims if abs(other.day - claim.day) <= _AGREE})


def _tell(model_id: str, name: str, claims: Sequence[_Claim], taken: _Claim | None, refused: list[Finding]) -> None:
    against = [c for c in claims if taken is None or abs(c.day - taken.day) > _AGREE]
    result = f"taken as {taken.day}, {taken.source.source}" if taken else "left unknown"
    told = dict.fromkeys(f"{claim.source.source} states {claim.day}; {result}" for claim in against)
    refused.extend(Finding(file="models.parquet", entry=model_id, field=name, problem=problem) for problem in told)
