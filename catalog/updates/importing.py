"""What an import does to a catalog: facts merge by trust, versions move on, a silent change of weights is told.

A model whose card has no evaluation section is less certain than its abilities say: nobody checked them with the
maker's own figures. Its standard errors are widened, once, by a factor that is ours.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from types import MappingProxyType

from catalog.finding import Finding
from catalog.identity import Change, Identity, Release, next_version, silent_changes
from catalog.profiles.profile import ModelProfile
from catalog.registry import Catalog

__all__ = ["Imported", "changes_between", "import_profiles", "silent_findings"]

_WIDER = 1.25  # ours: a missing evaluation section, arXiv 2402.05160 finds 85 % of cards without one
_TELLS: tuple[tuple[Change, tuple[str, ...]], ...] = (
    ("base", ("base_model",)),
    ("tokenizer", ("tokenizer",)),
    ("context", ("context_tokens",)),
    ("weights", ("digest", "params_total_b", "params_active_b", "knowledge_cutoff")),
    ("config", ("architecture", "max_output_tokens", "capabilities", "modalities_in", "modalities_out")),
    ("docs", ("license", "documentation", "carbon_reporting")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The catalog after an import, and what somebody should look at."""

    catalog: Catalog
    findings: tuple[Finding, ...]


def import_profiles(
    known: Catalog, told: Iterable[ModelProfile], *, source: str, unevaluated: Collection[str] = ()
) -> Imported:
    """Merge profiles into a catalog.

    Args:
        known: the catalog as it was.
        told: what the source says.
        source: its name, for the findings.
        unevaluated: ids of models whose card has no evaluation section.
    """
    as_told = tuple(told)
    profiles = known.spelled(as_told)
    merged = known.with_profiles(profiles)
    moved = [
        _moved_on(known, merged[profile.id], one.id in unevaluated)
        for one, profile in zip(as_told, profiles, strict=True)
    ]
    changed = [profile for profile in moved if profile != merged[profile.id]]
    return Imported(
        catalog=merged.replacing(changed) if changed else merged, findings=silent_findings(known, profiles, source)
    )


def silent_findings(known: Catalog, told: Iterable[ModelProfile], source: str) -> tuple[Finding, ...]:
    """Names that stayed while the digest of their weights did not."""
    now = [profile for profile in told if profile.digest is not None]
    before = [was for profile in now if (was := known.get(profile.id)) is not None]
    return tuple(
        Finding(file=source, entry=f"{change.owner}/{change.name}", field="digest", problem=str(change))
        for change in silent_changes([_identity(p) for p in before], [_identity(p) for p in now])
    )


def changes_between(old: ModelProfile, new: ModelProfile) -> tuple[Change, ...]:
    """What sets two descriptions of one model apart; a fact that only one of them states is no change."""
    return tuple(
        change
        for change, names in _TELLS
        if any(
            (was := getattr(old, name)) is not None and (now := getattr(new, name)) is not None and was != now
            for name in names
        )
    )


def _moved_on(known: Catalog, profile: ModelProfile, unevaluated: bool) -> ModelProfile:  # noqa: FBT001
    old = known.get(profile.id)
    if old is not None and (changes := changes_between(old, profile)):
        profile = replace(profile, version=str(next_version(_release(old.version), changes)))
    if unevaluated and (old is None or old.documentation is None):
        ability = {axis: replace(told, se=told.se * _WIDER) for axis, told in profile.ability.items()}
        profile = replace(profile, ability=MappingProxyType(ability))
    return profile


def _release(text: str | None) -> Release:
    """A version as we write it; the first one where there is none, or somebody else's."""
    parts = (text or "").split(".")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        return Release()
    major, minor, patch = (int(part) for part in parts)
    return Release(major=major, minor=minor, patch=patch)


def _identity(profile: ModelProfile) -> Identity:
    owner, _, name = profile.id.partition("/")
    return Identity(owner=owner, name=name, digest=profile.digest)
