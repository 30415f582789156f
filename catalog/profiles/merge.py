"""Two descriptions of one model become one, field by field, by how far each source is trusted."""

from collections.abc import Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any

from .profile import Ability, ModelProfile
from .provenance import Provenance, Trust

__all__ = ["merge_profiles"]

_IDENTITY = frozenset({"id", "name", "aliases", "ability", "provenance", "derived", "measured"})
_RESTED_ON = frozenset(
    {"params_total_b", "params_active_b", "architecture", "released", "ability", "price", "tokenizer"}
)  # facts that derived ones are computed from


def merge_profiles(known: ModelProfile, told: ModelProfile) -> ModelProfile:
    """`known` with every field that `told` states on equal or better authority.

    A field counts as stated when it has a source or differs from its default; without a source it is taken as
    self-reported. Aliases add up, abilities merge axis by axis. What was derived goes where a fact that it rests on
    changes, and so does an energy that was only inferred.
    """
    changes: dict[str, Any] = {"aliases": tuple(dict.fromkeys((*known.aliases, *told.aliases)))}
    provenance: dict[str, Provenance] = dict(known.provenance)
    for name in _fields_stated(told):
        if _trust(told, name) < _trust(known, name) and name in _fields_stated(known):
            continue
        changes[name] = getattr(told, name)
        provenance = {n: s for n, s in provenance.items() if n.partition(".")[0] != name}  # of its parts too
        if name in told.provenance:
            provenance[name] = told.provenance[name]
    if told.ability:
        changes["ability"], sources = _abilities(known, told)
        provenance = {n: s for n, s in provenance.items() if n.partition(".")[0] != "ability"} | sources
    if told.measured:
        changes["measured"] = MappingProxyType({**known.measured, **told.measured})
    if told.name != told.id.partition("/")[2]:
        changes["name"] = told.name
    if any(name in changes and changes[name] != getattr(known, name) for name in _RESTED_ON):
        changes["derived"] = told.derived
        source = provenance.get("energy_wh_per_mtok")
        if source is not None and source.trust is Trust.INFERRED and "energy_wh_per_mtok" not in changes:
            changes["energy_wh_per_mtok"] = None
            del provenance["energy_wh_per_mtok"]
    elif told.derived:
        changes["derived"] = told.derived
    return replace(known, **changes, provenance=MappingProxyType(provenance))


def _abilities(known: ModelProfile, told: ModelProfile) -> tuple[Mapping[str, Ability], dict[str, Provenance]]:
    """Abilities axis by axis, and their sources: `ability` names that of the general one, `ability.maths` another's."""
    holder = dict.fromkeys(known.ability, known)
    for axis in told.ability:
        source, before = told.source_of_ability(axis), known.source_of_ability(axis)
        if axis not in holder or (source.trust if source else Trust.SELF_REPORTED) >= (
            before.trust if before else Trust.SELF_REPORTED
        ):
            holder[axis] = told
    sources = {axis: source for axis, who in holder.items() if (source := who.source_of_ability(axis)) is not None}
    common = sources.get("general") or next(iter(sources.values()), None)
    named = {f"ability.{axis}": source for axis, source in sources.items() if source != common}
    abilities = MappingProxyType({axis: who.ability[axis] for axis, who in holder.items()})
    return abilities, named if common is None else {"ability": common, **named}


def _fields_stated(profile: ModelProfile) -> tuple[str, ...]:
    return tuple(
        name for name, default in _DEFAULTS.items() if name in profile.provenance or getattr(profile, name) != default
    )


def _trust(profile: ModelProfile, name: str) -> Trust:
    source = profile.provenance.get(name)
    return source.trust if source else Trust.SELF_REPORTED


def _defaults() -> Mapping[str, Any]:
    blank = ModelProfile(id="nobody/nothing", name="nothing")
    return {f.name: getattr(blank, f.name) for f in fields(ModelProfile) if f.name not in _IDENTITY}


_DEFAULTS = _defaults()
