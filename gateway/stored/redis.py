"""Responses in Redis, for replicas. Everything of a tenant lies on one shard of a cluster."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from gateway.redis_keys import NAMESPACE
from gateway.redis_secrets import without_secrets
from gateway.upstreams.breaker import Breaker

from .protocol import Bounds, StoreUnavailableError

__all__ = ["RedisResponses"]

T = TypeVar("T")

# KEYS: the record, the tenant's records by age. ARGV: record, its name, now, milliseconds to keep, most per tenant
_PUT = """
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[3], KEYS[1])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[3] - ARGV[4] / 1000)
local beyond = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[5])
if beyond > 0 then
  for _, oldest in ipairs(redis.call('ZPOPMIN', KEYS[2], beyond)) do
    if oldest:sub(1, #ARGV[2]) == ARGV[2] then redis.call('DEL', oldest) end
  end
end
return 1
"""


class RedisResponses:
    """A `ResponseStore` in Redis 6 or later. While it is away nobody waits for it: a few failures, and it rests."""

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - redis.asyncio's, imported only where one is configured
        bounds: Bounds,
        *,
        timeout_s: float,
        wall: Callable[[], float],
        clock: Callable[[], float],
        namespace: str = NAMESPACE,
        url: str = "",
    ) -> None:
        """`wall` is in seconds since the epoch, `clock` monotonic; see `RedisState` for `namespace` and `url`."""
        self._url = url
        self._client, self._bounds, self._timeout_s = client, bounds, timeout_s
        self._wall, self._clock, self._namespace = wall, clock, namespace
        self._breaker = Breaker(failures_to_open=3, first_rest_s=1.0, longest_rest_s=30.0)

    async def put(self, tenant: str, response_id: str, record: bytes) -> None:
        """See `ResponseStore.put`."""
        start, keep_ms = self._start(tenant), round(1e3 * self._bounds.keep_s)
        arguments = (record, start, self._wall(), keep_ms, self._bounds.max_per_tenant)
        await self._ask(lambda: self._client.eval(_PUT, 2, start + response_id, self._ages(tenant), *arguments))

    async def get(self, tenant: str, response_id: str) -> bytes | None:
        """See `ResponseStore.get`."""
        found: bytes | None = await self._ask(lambda: self._client.get(self._start(tenant) + response_id))
        return found

    async def delete(self, tenant: str, response_id: str) -> bool:
        """See `ResponseStore.delete`."""
        return bool(await self._ask(lambda: self._client.delete(self._start(tenant) + response_id)))

    async def close(self) -> None:
        """See `ResponseStore.close`."""
        await self._client.aclose()

    def _start(self, tenant: str) -> str:
        """How the keys of a tenant's records begin."""
        return f"{self._namespace}:{{{_digest(tenant)}}}:response:"

    def _ages(self, tenant: str) -> str:
        return f"{self._namespace}:{{{_digest(tenant)}}}:responses"

    async def _ask(self, act: Callable[[], Awaitable[T]]) -> T:
        from redis.exceptions import RedisError  # noqa: PLC0415 - loaded with the client

        if not self._breaker.begin(self._clock()):
            raise StoreUnavailableError("Redis is resting after failures")
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._client.initialize()
                answer = await act()
        except (TimeoutError, OSError, RedisError, AttributeError) as exc:  # the last, as in `gateway.state.redis`
            self._breaker.fail(self._clock())
            raise StoreUnavailableError(without_secrets(f"{type(exc).__name__}: {exc}", self._url)) from None
        except BaseException:
            self._breaker.abandon()
            raise
        self._breaker.succeed()
        return answer


def _digest(tenant: str) -> str:
    """A name may hold anything, braces too, which would move its keys to another shard."""
    return hashlib.blake2b(tenant.encode("utf-8", "replace"), digest_size=12).hexdigest()
