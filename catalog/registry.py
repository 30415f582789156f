"""Every model that is known here, and the one way to ask for it by name."""

import difflib
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from .compiled import SHIPPED, Compiled, pack, read_compiled
from .errors import UnknownModelError
from .identity import model_key
from .pools.backend import Backend
from .pools.pool import Pool, PoolEntry
from .profiles.chat import answers_text
from .profiles.merge import merge_profiles
from .profiles.offer import Offer
from .profiles.profile import ModelProfile

__all__ = ["Catalog"]

_WILDCARDS = frozenset("*?[")


class Catalog:
    """An immutable set of profiles in the order of their ids; `with_profiles` gives a new one.

    Not to be built directly: `Catalog.load()` reads the shipped catalog, `Catalog.of(profiles)` makes one of these.
    """

    def __init__(self, *, compiled: Compiled, above: Mapping[str, ModelProfile]) -> None:
        self._compiled = compiled
        self._built: dict[str, ModelProfile] = dict(above)  # overlaid ones, and a cache of the others
        self._above = frozenset(above)
        self._ids = tuple(sorted({*compiled.records, *above}))
        digest = hashlib.sha256(compiled.version.encode())
        for model_id in sorted(above):
            digest.update(_content_of(above[model_id]))
        self.version: str = digest.hexdigest()[:12] if above else compiled.version

    @classmethod
    def load(cls, path: Path | None = None) -> "Catalog":
        """Read a compiled catalog, by default the one that ships.

        Raises:
            ImportFailedError: there is no compiled catalog at `path`.
        """
        return cls(compiled=read_compiled(path or SHIPPED), above={})

    @classmethod
    def of(cls, profiles: Iterable[ModelProfile]) -> "Catalog":
        """A catalog of exactly these."""
        nothing = Compiled(records={}, sources=(), routing={}, version="0" * 12)
        return cls(compiled=nothing, above={profile.id: profile for profile in profiles})

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[ModelProfile]:
        return (self[model_id] for model_id in self._ids)

    def __contains__(self, model_id: object) -> bool:
        return model_id in self._built or model_id in self._compiled.records

    def __getitem__(self, model_id: str) -> ModelProfile:
        """The profile of exactly this id, KeyError without it; `resolve` understands other names too."""
        profile = self._built.get(model_id)
        if profile is None:
            profile = self._built[model_id] = self._compiled.profile(model_id)
        return profile

    @property
    def ids(self) -> tuple[str, ...]:
        """Every catalog id, sorted."""
        return self._ids

    def get(self, model_id: str) -> ModelProfile | None:
        """The profile of exactly this id, or None."""
        return self[model_id] if model_id in self else None  # noqa: SIM401 - this is what `get` means

    def resolve(self, name: str) -> ModelProfile:
        """The model that goes by this name: an id, an alias, or a bare name where only one model bears it.

        Letter case, a host's prefix and spelling (`claude-3-5-sonnet` for `claude-3.5-sonnet`) do not matter.

        Raises:
            UnknownModelError: no model, or more than one, goes by that name; `close` lists what was perhaps meant.
        """
        if name in self:
            return self[name]
        wanted = name.strip().casefold()
        spelled = model_key(wanted)
        for spelling in dict.fromkeys((wanted, "/".join(wanted.split("/")[-2:]), wanted.rpartition("/")[2], spelled)):
            known = self._names.get(spelling, ())
            if len(known) == 1:
                return self[known[0]]
            if known:
                raise UnknownModelError(name, close=known[:4])
        close = difflib.get_close_matches(wanted.rpartition("/")[2], self._names, n=12, cutoff=0.6)
        found = dict.fromkeys(model_id for spelling in close for model_id in self._names[spelling])
        raise UnknownModelError(name, close=tuple(found)[:3])

    def match(self, globs: Sequence[str], *, chat_only: bool = True) -> tuple[ModelProfile, ...]:
        """The models whose id matches one of these patterns; `all` matches every one, none matches nothing.

        A pattern without a slash is held against the name behind the slash: `gpt-5*` finds `openai/gpt-5-mini`.
        Models that do not answer text with text (speech, embedding, moderation, image ...) match only where a
        pattern spells their id or name out; `chat_only=False` lets wildcards find them too.
        """
        patterns = [glob.strip().casefold() for glob in globs]
        found = self._ids if "all" in patterns else [i for i in self._ids if _matches(i.casefold(), patterns)]
        spelled = {pattern for pattern in patterns if not _WILDCARDS & set(pattern)}
        return tuple(
            self[i]
            for i in found
            if not chat_only or {i.casefold(), i.casefold().partition("/")[2]} & spelled or answers_text(self[i])
        )

    def offers(self, model_id: str) -> tuple[Offer, ...]:
        """What providers ask for this model, by provider; none where no price list names it."""
        return self._compiled.offers(model_id) if model_id in self._compiled.records else ()

    def lineage(self, model_id: str) -> tuple[str, ...]:
        """Other releases of the same model, for whoever shares what is known of one with another.

        The undated name comes first, then the dated ones, those nearest in release date first. A dated release is no
        promise of equal weights: it is the best guess where a model has no outcomes of its own.
        """
        base = self[model_id].snapshot_of or model_id
        kin = [i for i in (base, *self._snapshots.get(base, ())) if i != model_id and i in self]
        return tuple(sorted(kin, key=lambda i: (i != base, self._days_between(model_id, i), i)))

    def _days_between(self, one: str, other: str) -> int:
        first, second = self[one].released, self[other].released
        return abs((first - second).days) if first and second else 1_000_000

    @cached_property
    def _snapshots(self) -> dict[str, tuple[str, ...]]:
        snapshots: dict[str, tuple[str, ...]] = {}
        for model_id in self._ids:
            if base := self[model_id].snapshot_of:
                snapshots[base] = (*snapshots.get(base, ()), model_id)
        return snapshots

    def routing_id(self, dataset: str, model: str) -> str | None:
        """The catalog id of a model as a public routing dataset calls it, or None where it has no profile."""
        return self._compiled.routing.get(dataset, {}).get(model)

    def spelled(self, profiles: Iterable[ModelProfile]) -> tuple[ModelProfile, ...]:
        """These profiles by the ids that are known here, where they differ in letter case alone.

        Whoever writes `Qwen/Qwen3-32B`, as its maker does, means `qwen/qwen3-32b`, and wants no second one beside it.
        """
        return tuple(map(self._spelled, profiles))

    def _spelled(self, profile: ModelProfile) -> ModelProfile:
        known = self._ids_by_case.get(profile.id.casefold(), ())
        if profile.id in self or len(known) != 1:
            return profile
        has_own_name = profile.name != profile.id.partition("/")[2]
        return replace(profile, id=known[0], name=profile.name if has_own_name else known[0].partition("/")[2])

    @cached_property
    def _ids_by_case(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for model_id in self._ids:
            found[model_id.casefold()] = (*found.get(model_id.casefold(), ()), model_id)
        return found

    def with_profiles(self, profiles: Iterable[ModelProfile]) -> "Catalog":
        """This catalog and these profiles; where both describe a model, `merge_profiles` joins them."""
        above = {model_id: self._built[model_id] for model_id in self._above}
        for profile in profiles:
            known = above.get(profile.id) or self.get(profile.id)
            above[profile.id] = merge_profiles(known, profile) if known else profile
        return Catalog(compiled=self._compiled, above=above)

    def replacing(self, profiles: Iterable[ModelProfile]) -> "Catalog":
        """This catalog with these profiles in the place of theirs, whatever their sources."""
        above = {model_id: self._built[model_id] for model_id in self._above}
        return Catalog(compiled=self._compiled, above=above | {profile.id: profile for profile in profiles})

    def pool(self, backends: Iterable[Backend], *, also: Sequence[str] = ()) -> Pool:
        """One candidate per backend, then the models matched by `also` that no backend serves.

        Raises:
            UnknownModelError: a backend serves a model that has no profile.
        """
        entries: list[PoolEntry] = []
        for backend in backends:
            profile = self.get(backend.profile_id)
            if profile is None:
                raise UnknownModelError(backend.profile_id)
            entries.append(PoolEntry(profile=profile, backend=backend))
        served = {entry.profile.id for entry in entries}
        entries.extend(PoolEntry(profile=p) for p in self.match(also) if p.id not in served)
        return Pool(entries)

    def pack(
        self,
        profiles: Iterable[ModelProfile] | None = None,
        *,
        offers: Mapping[str, Sequence[Offer]] | None = None,
    ) -> bytes:
        """The compiled form of this catalog; of these profiles and offers instead of its own where they are given."""
        told = offers if offers is not None else {model_id: self.offers(model_id) for model_id in self._ids}
        return pack(self if profiles is None else profiles, offers=told, routing=self._compiled.routing)

    @cached_property
    def _names(self) -> dict[str, tuple[str, ...]]:
        """Every spelling in lower case, with the ids that go by it: an id's own spelling is never ambiguous."""
        names: dict[str, tuple[str, ...]] = {}
        for model_id in self._ids:
            for alias in (model_id.rpartition("/")[2], *self._aliases(model_id)):
                known = names.get(alias.casefold(), ())
                if model_id not in known:
                    names[alias.casefold()] = (*known, model_id)
        return names | {model_id.casefold(): (model_id,) for model_id in self._ids}

    def _aliases(self, model_id: str) -> Sequence[str]:
        if model_id in self._above:
            return self._built[model_id].aliases
        aliases: Sequence[str] = self._compiled.records[model_id].get("aliases", ())
        return aliases


def _matches(model_id: str, patterns: Sequence[str]) -> bool:
    name = model_id.partition("/")[2]
    return any(fnmatchcase(model_id if "/" in pattern else name, pattern) for pattern in patterns)


def _content_of(profile: ModelProfile) -> bytes:
    """The facts of a profile as bytes that are the same in every process: sets have no order of their own."""
    facts = [
        sorted(value) if isinstance(value, frozenset) else dict(value) if isinstance(value, Mapping) else value
        for value in (getattr(profile, name) for name in profile.__slots__)
    ]
    return repr(facts).encode()
