"""LoRA adapters that vLLM servers load and unload while a gateway serves them: models that come and go.

A server that is away, or too busy to list them, keeps those that it had. One that lists others all the time is not
followed for ever: each stays in metrics and in memory.
"""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

import structlog

from catalog import Backend, Catalog, ModelProfile

if TYPE_CHECKING:
    import httpx

__all__ = ["Adapters"]

log = structlog.get_logger(__name__)

_PATIENCE_S = 5.0  # nobody waits for the answer, unlike at the start
_MOST_EVER = 1_000  # adapters in the life of a gateway


class Adapters:
    """Those of the vLLM servers that were configured, as these told last; `backends` is everybody, with them."""

    def __init__(
        self, backends: tuple[Backend, ...], *, configured: frozenset[str], api_keys: Mapping[str, str]
    ) -> None:
        """`backends` are those of the start; `configured` are the ids of some; `api_keys` maps an id to its key."""
        self._bases = tuple(b for b in backends if b.id in configured and b.kind == "vllm")
        self._of = {
            base.id: {b.id: b for b in backends if b.id not in configured and _is_of(base, b)} for base in self._bases
        }
        known = {adapter_id for adapters in self._of.values() for adapter_id in adapters}
        self._others = tuple(backend for backend in backends if backend.id not in known)
        self._api_keys = api_keys
        self._profiles: dict[str, ModelProfile] = {}  # of all that were ever listed
        self._ever = set(known)
        self._is_full = False

    def __bool__(self) -> bool:
        """Whether any server may have some."""
        return bool(self._bases)

    @property
    def backends(self) -> tuple[Backend, ...]:
        """Everybody."""
        return (*self._others, *(adapter for adapters in self._of.values() for adapter in adapters.values()))

    @property
    def api_keys(self) -> dict[str, str]:
        """An adapter is asked with the key of its base."""
        with_key = [base.id for base in self._bases if base.id in self._api_keys]
        return {adapter_id: self._api_keys[base_id] for base_id in with_key for adapter_id in self._of[base_id]}

    def beside(self, backends: tuple[Backend, ...]) -> tuple[Backend, ...]:
        """These and whatever adapters they have by now: all share one queue."""
        joined = {backend.id: backend for backend in backends}
        for backend in backends:
            joined |= self._of.get(backend.id, {})
        return tuple(joined.values())

    def described(self, catalog: Catalog) -> Catalog:
        """The catalog with every adapter that was listed, each with what is known of its base."""
        from catalog.discovery.servers import inherit  # noqa: PLC0415 - it brings httpx, for those who have bases

        return catalog.with_profiles(inherit(catalog, self._profiles.values()))

    async def look(self, client: "httpx.AsyncClient") -> bool:
        """Ask every server; whether any has others than before."""
        from catalog.discovery.servers import discover_adapters  # noqa: PLC0415 - as above

        told = await asyncio.gather(
            *(
                discover_adapters(client, base, api_key=self._api_keys.get(base.id), timeout_s=_PATIENCE_S)
                for base in self._bases
            )
        )
        has_changed = False
        for base, found in zip(self._bases, told, strict=True):
            if found is None:
                continue
            before = self._of[base.id]
            listed = [(profile, adapter) for profile, adapter in found if self._has_room_for(adapter.id)]
            self._of[base.id] = {adapter.id: before.get(adapter.id, adapter) for _, adapter in listed}
            self._profiles.update((profile.id, profile) for profile, _ in listed)
            has_changed |= before.keys() != self._of[base.id].keys()
        return has_changed

    def _has_room_for(self, adapter_id: str) -> bool:
        """Whether it may join, or has before."""
        if adapter_id in self._ever:
            return True
        if len(self._ever) >= _MOST_EVER:
            if not self._is_full:
                log.warning("adapters_left_out", most=_MOST_EVER)
            self._is_full = True
            return False
        self._ever.add(adapter_id)
        return True


def _is_of(base: Backend, backend: Backend) -> bool:
    return backend.kind == base.kind and backend.base_url == base.base_url and backend.id.startswith(f"{base.id}:")
