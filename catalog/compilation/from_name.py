"""What a model's name alone tells: the tokenizer of its family, and the release that it is a dated snapshot of."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType

from catalog.profiles.profile import ModelProfile
from catalog.profiles.provenance import Provenance, Trust
from catalog.structure.tokenizers import tokenizer_of

__all__ = ["NAMED", "with_lineage", "with_tokenizer"]

NAMED = Provenance(source="estimated from the words of the name", trust=Trust.INFERRED)
_REFERENCE_TOKENS_PER_CHAR = 0.25  # of cl100k, which the predictors' own count imitates


def with_tokenizer(profile: ModelProfile) -> ModelProfile:
    """The profile with its family's tokenizer and how many tokens that makes of a character, where it was measured."""
    tokenizer = tokenizer_of(profile.id)
    if tokenizer is None:
        return profile
    source = Provenance(source=f"files of {tokenizer.measured_from}, by family", trust=Trust.INFERRED)
    return replace(
        profile,
        tokenizer=tokenizer.name,
        tokens_per_char=round(tokenizer.tokens_of_reference * _REFERENCE_TOKENS_PER_CHAR, 4),
        provenance=MappingProxyType({**profile.provenance, "tokenizer": source, "tokens_per_char": source}),
    )


def with_lineage(profile: ModelProfile, bases: Mapping[str, str], known: Collection[str]) -> ModelProfile:
    """A dated release or a preview, linked to the undated name that it was released under where that has a profile."""
    base = f"{profile.owner}/{bases.get(profile.id.partition('/')[2], '')}"
    if base == profile.id or base not in known:
        return profile
    return replace(profile, snapshot_of=base, provenance=MappingProxyType({**profile.provenance, "snapshot_of": NAMED}))
