"""What a place for Responses must do: keep them apart by tenant, forget them in time, and never outgrow its bounds."""

from dataclasses import dataclass
from typing import Protocol

from gateway.errors import UnavailableError

__all__ = ["Bounds", "ResponseStore", "StoreUnavailableError"]


class StoreUnavailableError(UnavailableError):
    """The store cannot be asked now; what is in it may come back."""

    advice = "stored Responses cannot be read now; come back, or send the whole conversation in input"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much is kept, and for how long. Whoever keeps more loses his own oldest first."""

    keep_s: float = 3_600.0
    max_per_tenant: int = 1_000
    max_bytes: int = 64 << 20  # of all tenants together; in Redis, its own `maxmemory` rules
    max_bytes_each: int = 1 << 20


class ResponseStore(Protocol):
    """Records are bytes that the store does not look into. A tenant never sees another's.

    Raises (all but close): StoreUnavailableError.
    """

    async def put(self, tenant: str, response_id: str, record: bytes) -> None:
        """Keep a record, and forget what is beyond the bounds."""
        ...

    async def get(self, tenant: str, response_id: str) -> bytes | None:
        """The record; None where it is unknown, another's or forgotten."""
        ...

    async def delete(self, tenant: str, response_id: str) -> bool:
        """Forget it; whether there was one."""
        ...

    async def close(self) -> None:
        """Let go of files and connections."""
        ...
