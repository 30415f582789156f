"""What is served right now: candidates, their router, and the names they go by. A reload swaps it as a whole."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from catalog import Backend, ModelProfile, Pool, UnknownModelError
from predictors import ForecastSource
from router import Decider

__all__ = ["Serving", "ServingFactory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Requests in flight keep the one they started with."""

    pool: Pool
    source: ForecastSource
    router: Decider
    policies: frozenset[str]
    versions: Mapping[str, str]  # of catalog, predictor and policies, for the records
    names: Mapping[str, tuple[int, ...]]  # every name of a model here -> its positions in the pool

    @classmethod
    def of(
        cls, *, source: ForecastSource, router: Decider, policies: frozenset[str], versions: Mapping[str, str]
    ) -> "Serving":
        """Join the parts and collect the names."""
        names = _names(source.pool)
        return cls(pool=source.pool, source=source, router=router, policies=policies, versions=versions, names=names)

    def speaks(self, protocol: str) -> bool:
        """Whether any backend here speaks it itself; one of `catalog.PROTOCOLS`."""
        return any(e.backend is not None and protocol in e.backend.abilities for e in self.pool.entries)

    def positions(self, name: str, *, may_see: Callable[[str], bool] | None = None) -> tuple[int, ...]:
        """Where a concretely named model is in the pool; of an unknown one, names are suggested of what one may see.

        Raises:
            UnknownModelError: no backend here serves it.
        """
        found = self.names.get(name) or self.names.get(name.lower())
        if not found:
            names = self.names if may_see is None else self._names_of(may_see)
            raise UnknownModelError(name[:200], close=_close(name, names))
        return found

    def _names_of(self, may_see: Callable[[str], bool]) -> Mapping[str, tuple[int, ...]]:
        seen = {name for name in set(self.pool.ids) if may_see(name)}
        return {name: at for name, at in self.names.items() if self.pool.ids[at[0]] in seen}


class ServingFactory(Protocol):
    """Makes what is served out of backends; used at the start, at every reload, and for decisions about other pools."""

    def __call__(self, backends: tuple[Backend, ...], *, also: tuple[str, ...] = ()) -> Serving:
        """Serve these backends; `also` are globs over catalog models that take part without a backend.

        Raises:
            CatalogError: a backend names a profile that does not exist.
        """
        ...


def _names(pool: Pool) -> dict[str, tuple[int, ...]]:
    """Ids, aliases and bare names. A bare name that two models share is left out: it would be a guess."""
    exact: dict[str, list[int]] = {}
    bare: dict[str, dict[str, list[int]]] = {}
    for position, entry in enumerate(pool.entries):
        if entry.backend is None:
            continue
        profile = entry.profile
        for name in {profile.id, profile.id.lower(), *profile.aliases, entry.backend.id}:
            exact.setdefault(name, []).append(position)
        for name in _bare_names(profile, entry.backend):
            bare.setdefault(name, {}).setdefault(profile.id, []).append(position)
    for name, by_model in bare.items():
        if len(by_model) == 1:
            exact.setdefault(name, next(iter(by_model.values())))
    return {name: tuple(positions) for name, positions in exact.items()}


def _bare_names(profile: ModelProfile, backend: Backend) -> set[str]:
    bare = profile.id.partition("/")[2]
    return {bare, bare.lower(), profile.name, backend.model_name}


def _close(name: str, names: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
    from difflib import get_close_matches  # noqa: PLC0415 - only on the way to an error

    return tuple(get_close_matches(name[:200], list(names), n=2))
