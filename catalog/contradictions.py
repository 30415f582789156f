"""Facts of one profile that cannot both be true. Each is a finding that names the fields and what each says."""

from collections.abc import Iterable, Iterator

from .compilation.dating import OF_MONTH, OF_NAME, day_in_name
from .finding import Finding
from .profiles.profile import ModelProfile
from .structure.sizes import named_size

__all__ = ["contradictions"]

_SIZE_OF_NAME = 1.7  # a factor: names round, and some leave the embeddings out


def contradictions(profiles: Iterable[ModelProfile], *, file: str) -> tuple[Finding, ...]:
    """Every contradiction within each of these profiles."""
    return tuple(
        Finding(file=file, entry=profile.id, field=field, problem=problem)
        for profile in profiles
        for field, problem in (*_of_dates(profile), *_of_sizes(profile), *_of_limits(profile), *_of_senses(profile))
    )


def _of_dates(profile: ModelProfile) -> Iterator[tuple[str, str]]:
    released, cutoff, named = profile.released, profile.knowledge_cutoff, day_in_name(profile.id)
    if released and cutoff and cutoff > released + OF_MONTH:
        yield "knowledge_cutoff", f"{cutoff} is after the release, {released}"
    if released and named and abs(released - named) > OF_NAME:
        yield "released", f"{released} is far from the date in the name, {named}"


def _of_sizes(profile: ModelProfile) -> Iterator[tuple[str, str]]:
    total, active = profile.params_total_b, profile.params_active_b
    if total and active and active > total:
        yield "params_active_b", f"{active:g}B are more than all parameters, {total:g}B"
    named = named_size(profile.id.partition("/")[2])
    if total and named.total_b and named.active_b is None and "params_total_b" in profile.provenance:
        ratio = total / named.total_b
        if not 1 / _SIZE_OF_NAME <= ratio <= _SIZE_OF_NAME:
            yield "params_total_b", f"{total:g}B is far from the size in the name, {named.total_b:g}B"


def _of_limits(profile: ModelProfile) -> Iterator[tuple[str, str]]:
    context, longest = profile.context_tokens, profile.max_output_tokens
    if context and longest and longest > context:
        yield "max_output_tokens", f"{longest:,} are more than the context holds, {context:,}"
    price = profile.price
    if price and price.cached_input_usd_per_mtok is not None:
        cached, fresh = price.cached_input_usd_per_mtok, price.input_usd_per_mtok
        if cached > fresh:
            yield "price", f"cached input at ${cached:f}/M is dearer than input at ${fresh:f}/M"


def _of_senses(profile: ModelProfile) -> Iterator[tuple[str, str]]:
    for ability, sense in (("vision", "image"), ("audio", "audio")):
        if ability in profile.capabilities and sense not in profile.modalities_in:
            yield "modalities_in", f"it can do {ability} but takes in no {sense}"
