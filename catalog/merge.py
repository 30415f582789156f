"""Two descriptions of one model become one, field by field, by how far each source is trusted."""

from collections.abc import Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any

from .profile import ModelProfile
from .provenance import Provenance, Trust

__all__ = ["merge_profiles"]

_IDENTITY = frozenset({"id", "name", "aliases", "provenance"})


def merge_profiles(known: ModelProfile, told: ModelProfile) -> ModelProfile:
    """`known` with every field that `told` states on equal or better authority.

    A field counts as stated when it has a source or differs from its default; without a source it is taken as
    self-reported. Aliases add up, abilities merge axis by axis.
    """
    changes: dict[str, Any] = {"aliases": tuple(dict.fromkeys((*known.aliases, *told.aliases)))}
    provenance: dict[str, Provenance] = dict(known.provenance)
    for name in _fields_stated(told):
        if _trust(told, name) < _trust(known, name) and name in _fields_stated(known):
            continue
        changes[name] = getattr(told, name)
        provenance.pop(name, None)
        if name in told.provenance:
            provenance[name] = told.provenance[name]
    if told.ability:
        changes["ability"] = MappingProxyType({**known.ability, **told.ability})
    if told.name != told.id.partition("/")[2]:
        changes["name"] = told.name
    return replace(known, **changes, provenance=MappingProxyType(provenance))


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
