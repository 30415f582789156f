"""Responses in the memory of one process: gone with it."""

from collections import OrderedDict, defaultdict
from collections.abc import Callable

from .protocol import Bounds

__all__ = ["MemoryResponses"]


class MemoryResponses:
    """A `ResponseStore` in memory."""

    def __init__(self, bounds: Bounds, *, clock: Callable[[], float]) -> None:
        """`clock` is in seconds and never goes back."""
        self._bounds, self._clock, self._bytes = bounds, clock, 0
        self._kept: defaultdict[str, OrderedDict[str, tuple[float, bytes]]] = defaultdict(OrderedDict)  # oldest first
        self._bytes_of: defaultdict[str, int] = defaultdict(int)

    async def put(self, tenant: str, response_id: str, record: bytes) -> None:
        """See `ResponseStore.put`."""
        self._forget(tenant, response_id)
        self._kept[tenant][response_id] = (self._clock() + self._bounds.keep_s, record)
        self._count(tenant, len(record))
        self._forget_late(tenant)
        while len(self._kept[tenant]) > self._bounds.max_per_tenant:
            self._forget_oldest(tenant)
        while self._bytes > self._bounds.max_bytes:
            self._forget_oldest(max(self._bytes_of, key=self._bytes_of.__getitem__))

    async def get(self, tenant: str, response_id: str) -> bytes | None:
        """See `ResponseStore.get`."""
        self._forget_late(tenant)
        kept = self._kept.get(tenant)
        found = kept.get(response_id) if kept else None
        return None if found is None else found[1]

    async def delete(self, tenant: str, response_id: str) -> bool:
        """See `ResponseStore.delete`."""
        self._forget_late(tenant)
        return self._forget(tenant, response_id)

    async def close(self) -> None:
        """Nothing to let go of."""

    def _forget_late(self, tenant: str) -> None:
        now_s = self._clock()
        kept = self._kept.get(tenant)
        while kept and next(iter(kept.values()))[0] <= now_s:
            self._forget_oldest(tenant)

    def _forget_oldest(self, tenant: str) -> None:
        self._forget(tenant, next(iter(self._kept[tenant])))

    def _forget(self, tenant: str, response_id: str) -> bool:
        kept = self._kept.get(tenant)
        gone = kept.pop(response_id, None) if kept else None
        if gone is None:
            return False
        self._count(tenant, -len(gone[1]))
        if not kept:
            del self._kept[tenant], self._bytes_of[tenant]
        return True

    def _count(self, tenant: str, more: int) -> None:
        self._bytes += more
        self._bytes_of[tenant] += more
