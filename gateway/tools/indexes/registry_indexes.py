"""Which index serves a registry: its own, with what was learned since, or another version's until its own is fitted."""

import asyncio
from collections.abc import Callable

import structlog

from gateway.dispatch import Clocks
from gateway.tools.registries import StoredRegistry
from predictors.tools import UsageStatistics

from .kept_indexes import KeptIndexes
from .shelf import IndexShelf, ToolIndex

__all__ = ["RegistryIndexes"]

log = structlog.get_logger(__name__)

_MOST_VERSIONS = 3  # of a registry: the newest, the one before, and one that requests may name


class RegistryIndexes:
    """Indexes over whole registries, version by version."""

    def __init__(self, shelf: IndexShelf, *, kept: KeptIndexes | None, clocks: Clocks) -> None:
        """None yet.

        Args:
            shelf: holds them.
            kept: those of earlier starts; None keeps none.
            clocks: of the gateway.
        """
        self._shelf, self._kept, self._clocks = shelf, kept, clocks
        self._asked_for: dict[str, list[str]] = {}  # by name: keys of indexes, the last at the end
        self._stood_in: set[str] = set()  # labels of versions that another's index serves, or did until just now
        self._alone: set[str] = set()  # labels of versions that none could be had for
        self._promoted: dict[str, ToolIndex] = {}  # by label: indexes that have learned from calls
        self._learned: dict[str, UsageStatistics] = {}  # by name: from which calls

    async def of(self, stored: StoredRegistry) -> ToolIndex:
        """The index over a registry and its usage; until that is fitted, one that stands in for it where it can."""
        if stored.label not in self._promoted and (stand_in := await self._stand_in(stored)) is not None:
            return stand_in
        index = await self.fitted(stored)
        learned = self._learned.get(stored.name)
        if stored.label not in self._promoted and learned is not None:  # a version that is new, or older
            now_s = self._clocks.wall()
            taught = await self._shelf.index(
                f"{stored.label}/learned", lambda: index.having_learned(learned, now_s=now_s)
            )
            if self._learned.get(stored.name) is learned:
                self._promoted.setdefault(stored.label, taught)
            else:  # more was learned meanwhile
                self._shelf.forget(f"{stored.label}/")
        return self._promoted.get(stored.label, index)

    async def fitted(self, stored: StoredRegistry) -> ToolIndex:
        """The index over a registry and its usage, without what was learned since."""
        index = await self._shelf.index(_key_of(stored), self._fitting(stored))
        self._hold(stored)
        if stored.label in self._stood_in:
            self._stood_in.discard(stored.label)
            self._shelf.forget(f"{stored.label}/")
        return index

    def _hold(self, stored: StoredRegistry) -> None:
        """Let go of the indexes of the version that nobody has asked for the longest, where there are many."""
        others = [key for key in self._asked_for.get(stored.name, []) if key != _key_of(stored)]
        self._asked_for[stored.name] = [*others, _key_of(stored)][-_MOST_VERSIONS:]
        for key in others[: max(0, len(others) + 1 - _MOST_VERSIONS)]:
            label = key.partition(":")[0]
            self._promoted.pop(label, None)
            self._shelf.forget(f"{label}:")
            self._shelf.forget(f"{label}/")

    async def take_up(self, stored: StoredRegistry, learned: UsageStatistics) -> None:
        """Serve an index that knows these calls, from one moment to the next; until then the old one serves."""
        index = await self.fitted(stored)
        if learned.dim != self._shelf.encoder.dim:
            return  # it was learned by another encoder
        now_s = self._clocks.wall()
        promoted = await asyncio.to_thread(index.having_learned, learned, now_s=now_s)
        for label in [label for label in self._promoted if label.partition("@")[0] == stored.name]:
            del self._promoted[label]
            self._shelf.forget(f"{label}/")
        self._learned[stored.name], self._promoted[stored.label] = learned, promoted
        self._shelf.forget(f"{stored.label}/")

    def _fitting(self, stored: StoredRegistry) -> Callable[[], ToolIndex]:
        kept, shelf = self._kept, self._shelf

        def make() -> ToolIndex:
            if kept is None:
                return shelf.fit(stored.registry, stored.usage)
            return ToolIndex(kept.fitted(stored, shelf.encoder), stored.registry)

        return make

    async def _stand_in(self, stored: StoredRegistry) -> ToolIndex | None:
        """What the index of another version knows, over this one; None where there is no other, or no need.

        The version's own is begun after that: at the same time both would take longer.
        """
        own = _key_of(stored)
        if stored.label in self._alone or self._shelf.made(own) is not None or (other := self._another(stored)) is None:
            return None
        learned, now_s = self._learned.get(stored.name), self._clocks.wall()

        def make() -> ToolIndex:
            index = other().standing_in_for(stored.registry)
            return index if learned is None else index.having_learned(learned, now_s=now_s)

        self._stood_in.add(stored.label)
        try:
            index = await self._shelf.index(f"{stored.label}/stand-in", make)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the version's own can still be fitted
            log.info("tool_index_without_stand_in", registry=stored.label, kind=type(exc).__name__)
            self._alone.add(stored.label)
            return None
        self._hold(stored)
        self._shelf.begin(own, self._fitting(stored))
        return index if self._shelf.made(own) is None else None

    def _another(self, stored: StoredRegistry) -> Callable[[], ToolIndex] | None:
        """How to come by the index of another version: at hand, or kept; None where there is none."""
        made = [self._shelf.made(key) for key in self._asked_for.get(stored.name, [])]
        at_hand = next((index for index in reversed(made) if index is not None), None)
        if at_hand is not None:
            return lambda: at_hand
        kept, shelf = self._kept, self._shelf
        path = kept.of_another_version(stored) if kept is not None else None
        if kept is None or path is None:
            return None
        return lambda: kept.read(path, shelf.encoder)


def _key_of(stored: StoredRegistry) -> str:
    return f"{stored.label}:{stored.registry.digest}"
