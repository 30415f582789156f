"""Where tools come from, requests and registries, and the indexes that rank them: read and fitted once, then kept."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from gateway.dispatch import Clocks
from gateway.keys import ApiKey
from gateway.server.memory import set_aside
from gateway.tools.errors import UnknownRegistryError
from gateway.tools.metrics import ToolMetrics
from gateway.tools.offered.offer import Offer, digest_of
from gateway.tools.offered.permissions import is_restricted
from gateway.tools.offered.reader import OfferReader
from gateway.tools.registries import RegistryStore, StoredRegistry
from predictors.tools import ToolRegistry, ToolUsage

from .kept_indexes import KeptIndexes
from .registry_indexes import RegistryIndexes
from .shelf import IndexShelf, ToolIndex, open_encoder

__all__ = ["ToolSources"]

log = structlog.get_logger(__name__)

_MANY = 5_000  # tools: to look through the objects of more for garbage takes longer than a request should wait
_SEARCH_WAITS_S = 30.0  # for an index; who searches gets nothing sent instead


class ToolSources:
    """Offers, registries and indexes of one gateway; nothing is read or fitted before somebody needs it."""

    def __init__(
        self, store: RegistryStore, *, encoder: str, metrics: ToolMetrics, clocks: Clocks, indexes: Path | None
    ) -> None:
        """See `ToolDesk`; `encoder` is the name of what reads tools and questions."""
        self.store = store
        self.shelf = IndexShelf(lambda: open_encoder(encoder), told=metrics.index)
        kept = KeptIndexes(indexes) if indexes is not None else None
        self.indexes = RegistryIndexes(self.shelf, kept=kept, clocks=clocks)
        self._reader = OfferReader()
        self._getting_ready: set[asyncio.Task[None]] = set()

    async def load(self, label: str, *, key: ApiKey | None) -> StoredRegistry:
        """A registry, NAME or NAME@VERSION, for whoever has this key.

        Raises:
            UnknownRegistryError: there is none; a key that may use some tools only is told of no others.
            DamagedRegistryError: its file is.
        """
        try:
            return await self._read(label)
        except UnknownRegistryError as exc:
            if is_restricted(key):
                raise UnknownRegistryError(label, known=None) from exc
            raise

    async def brought(self, body: Mapping[str, Any]) -> Offer:
        """The tools that came in a body."""
        return await self._reader.read(body)

    async def offered(self, body: Mapping[str, Any], stored: StoredRegistry | None) -> Offer:
        """A request's own tools; a request without any means those of the registry that it names."""
        offer = await self._reader.read(body)
        return offer if len(offer) or stored is None else await self.offer_of(stored, body)

    async def offer_of(self, stored: StoredRegistry, body: Mapping[str, Any]) -> Offer:
        """All tools of a registry, as if the body had brought them."""
        return await self._reader.read({**body, "tools": stored.declarations}, known_as=stored.label)

    async def index_over(
        self, offer: Offer, stored: StoredRegistry | None, *, searched: bool = False, within_s: float | None = None
    ) -> ToolIndex:
        """An index over what of the offer can be ranked: over the request's own words, or over a stored registry.

        Args:
            offer: what is to be ranked.
            stored: the registry, or None.
            searched: what the registry does not know is ranked beside what it knows.
            within_s: how long to wait; None waits as long as who searches does.

        Raises:
            TimeoutError: it is not ready by then, and goes on being made.
        """
        async with asyncio.timeout(_SEARCH_WAITS_S if within_s is None else within_s):
            return await self._index_over(offer, stored, searched=searched)

    def get_ready(self, label: str) -> None:
        """Read and index a registry while nobody waits for it; what goes wrong, who asks for it is told."""
        task = asyncio.create_task(self.ready(label))
        self._getting_ready.add(task)
        task.add_done_callback(self._getting_ready.discard)

    async def ready(self, label: str) -> None:
        """Read and index a registry, NAME or NAME@VERSION."""
        try:
            stored = await self._read(label)
            await self.indexes.of(stored)
            await self.offer_of(stored, {})
            await self.indexes.fitted(stored)  # another's may have stood in for it so far
            await self.indexes.of(stored)
            if len(stored.tools) > _MANY:
                set_aside()
            log.info("tool_registry_ready", registry=stored.label, tools=len(stored.tools))
        except Exception as exc:  # noqa: BLE001 - nobody asked for it yet
            log.warning("tool_registry_not_ready", registry=label, kind=type(exc).__name__)

    async def _read(self, label: str) -> StoredRegistry:
        """A registry, read in a thread where that is yet to be done."""
        if self.store.is_read(label):
            return self.store.load(label)

        def read() -> StoredRegistry:
            stored = self.store.load(label)
            for _ in (stored.registry.digest, stored.by_name, stored.declarations):
                pass  # what every request needs of it
            return stored

        return await asyncio.to_thread(read)

    async def _index_over(self, offer: Offer, stored: StoredRegistry | None, *, searched: bool) -> ToolIndex:
        if stored is None or (searched and offer.readable.keys().isdisjoint(stored.by_name)):
            chars = sum(len(t.name) + len(t.description) + len(t.parameters) for t in offer.readable.values())
            return await self.shelf.index(
                offer.digest, lambda: self.shelf.fit(_registry_of(offer), ToolUsage()), brought=chars
            )
        index = await self.indexes.of(stored)
        hidden = [name for name in stored.by_name if name not in offer.declared]
        strangers = [tool for name, tool in offer.readable.items() if searched and name not in stored.by_name]
        if not hidden and not strangers:
            return index
        part = offer.digest if strangers else digest_of(name.encode() for name in hidden)
        return await self.shelf.index(
            f"{stored.label}/{part}", lambda: index.over(stored.registry.without(hidden).with_tools(strangers))
        )


def _registry_of(offer: Offer) -> ToolRegistry:
    return ToolRegistry(tools=tuple(offer.readable.values()), name="request")
