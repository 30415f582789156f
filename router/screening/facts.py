"""What is known of a candidate that no query changes, and whether it fits a limit; an unknown fact fits none."""

from collections.abc import Callable
from typing import Any

from catalog import PoolEntry, PrivacyTier, is_meant

__all__ = ["FACTS", "PRIVACY"]

PRIVACY: tuple[PrivacyTier, ...] = ("any", "no_training", "no_retention", "local")
# How licences that admit commercial use begin. A proprietary model is used under a paid contract; the communities'
# licences of Llama, Gemma and others admit commerce under conditions that the operator has to check.
_ALLOWS_COMMERCE = (
    *("apache", "mit", "bsd", "isc", "cc0", "cc-by-4", "cc-by-sa-4", "unlicense", "proprietary"),
    *("llama", "gemma", "openrail", "bigscience-openrail", "qwen", "deepseek", "modified-mit"),
)


def _provider(entry: PoolEntry) -> str:
    return entry.backend.provider if entry.backend else entry.profile.owner


def _capabilities(entry: PoolEntry) -> frozenset[str]:
    """What the model says it can do, what its modalities imply, and what its backend adds."""
    implied = {"vision": "image", "audio": "audio"}
    seen = {ability for ability, modality in implied.items() if modality in entry.profile.modalities_in}
    return entry.profile.capabilities.union(seen, entry.backend.abilities if entry.backend is not None else ())


def _license(entry: PoolEntry) -> frozenset[str] | None:
    """The licence and the classes it belongs to; None where nothing is known."""
    profile = entry.profile
    known = set() if profile.license is None else {profile.license.casefold()}
    if profile.open_weights:
        known.add("open-weights")
    if any(name.startswith(_ALLOWS_COMMERCE) and "-nc" not in name for name in known):
        known.add("commercial")
    return frozenset(known) or None


def _region_fits(region: str, wanted: frozenset[str]) -> bool:
    """`eu` admits `eu-west-1`."""
    name = region.casefold()
    return any(name == w.casefold() or name.startswith(f"{w.casefold()}-") for w in wanted)


def _model_names(entry: PoolEntry) -> tuple[str, ...]:
    return (entry.profile.id, *entry.profile.aliases)


_Fact = tuple[Callable[[PoolEntry], Any], Callable[[Any, Any], bool]]  # the fact, and whether it fits the limit
FACTS: dict[str, _Fact] = {
    "needs": (_capabilities, lambda has, needed: needed <= has),
    "capabilities": (_capabilities, lambda has, needed: needed <= has),
    "licenses": (_license, lambda has, admitted: not has.isdisjoint(x.casefold() for x in admitted)),
    "providers": (_provider, lambda provider, admitted: provider.casefold() in {a.casefold() for a in admitted}),
    "exclude_providers": (_provider, lambda provider, out: provider.casefold() not in {o.casefold() for o in out}),
    "pinned": (_provider, lambda provider, only: provider == only),
    "regions": (lambda e: e.backend and e.backend.region, _region_fits),
    "privacy": (lambda e: e.backend and e.backend.privacy, lambda p, least: PRIVACY.index(p) >= PRIVACY.index(least)),
    "tiers": (lambda e: e.backend and e.backend.tier, lambda tier, admitted: tier in admitted),
    "quantizations": (
        lambda e: (e.backend and e.backend.quantization) or "unknown",  # a kind of its own, as OpenRouter has it
        lambda quantization, admitted: quantization in admitted,
    ),
    "models.allow": (_model_names, is_meant),
    "models.deny": (_model_names, lambda names, globs: not is_meant(names, globs)),
}
