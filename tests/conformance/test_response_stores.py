"""One suite over every place for stored Responses: apart by tenant, forgotten in time, never beyond their bounds."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.state.redis import redis_client
from gateway.stored import Bounds, MemoryResponses, RedisResponses, ResponseStore, SqliteResponses
from tests.gateway.state.servers import RedisServer
from tests.waiting import AT_MOST_S

pytestmark = pytest.mark.loopback

BOUNDS = Bounds(keep_s=60.0, max_per_tenant=3, max_bytes=100, max_bytes_each=100)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_795_435_200.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def redis_url(common_redis: RedisServer) -> str:
    return common_redis.url


Open = Callable[[Bounds], ResponseStore]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite", "redis", "cluster"])
async def open_store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncIterator[Open]:
    """Opens the store as one more replica sees it."""
    kind, memory, opened = request.param, MemoryResponses(BOUNDS, clock=clock), []
    url = request.getfixturevalue(f"{kind}_url") if kind in {"redis", "cluster"} else ""
    if url:
        client = redis_client(url, timeout_s=AT_MOST_S, cluster=kind == "cluster")
        await client.flushall()
        await client.aclose()

    def begin(bounds: Bounds = BOUNDS) -> ResponseStore:
        if kind == "memory":
            return memory
        store: ResponseStore = SqliteResponses(tmp_path / "responses.sqlite3", bounds, wall=clock)
        if url:
            client = redis_client(url, timeout_s=AT_MOST_S, cluster=kind == "cluster")
            store = RedisResponses(client, bounds, timeout_s=AT_MOST_S, wall=clock, clock=clock)
        opened.append(store)
        return store

    yield begin
    for store in opened:
        await store.close()


@pytest.fixture
def store(open_store: Open) -> ResponseStore:
    return open_store(BOUNDS)


async def test_what_was_put_is_got_by_every_replica_until_it_is_deleted(open_store: Open) -> None:
    one, other = open_store(BOUNDS), open_store(BOUNDS)
    await one.put("acme", "r1", b"\x00 any bytes \xff")
    assert await other.get("acme", "r1") == b"\x00 any bytes \xff"
    assert await other.delete("acme", "r1")
    assert await one.get("acme", "r1") is None
    assert not await one.delete("acme", "r1")


async def test_a_tenant_neither_sees_nor_deletes_anothers(store: ResponseStore) -> None:
    await store.put("acme", "r1", b"theirs")
    for stranger in ("other", "acme ", "{acme}", "acme:response:r1", ""):
        assert await store.get(stranger, "r1") is None
        assert not await store.delete(stranger, "r1")
    assert await store.get("acme", "r1") == b"theirs"


async def test_the_same_id_again_replaces(store: ResponseStore) -> None:
    await store.put("acme", "r1", b"first")
    await store.put("acme", "r1", b"second")
    assert await store.get("acme", "r1") == b"second"


async def test_a_tenant_that_keeps_more_than_it_may_loses_its_oldest_and_nobody_elses(
    store: ResponseStore, clock: Clock
) -> None:
    await store.put("other", "r0", b"x")
    for i in range(1, 6):
        clock.now_s += 1.0
        await store.put("acme", f"r{i}", b"x")
    assert [await store.get("acme", f"r{i}") for i in range(1, 6)] == [None, None, b"x", b"x", b"x"]
    assert await store.get("other", "r0") == b"x"


async def test_what_is_kept_for_long_enough_is_forgotten(store: ResponseStore, clock: Clock) -> None:
    if isinstance(store, RedisResponses):
        store._bounds = Bounds(keep_s=0.2)  # Redis goes by its own clock
    await store.put("acme", "r1", b"x")
    clock.now_s += 61.0
    await asyncio.sleep(0.3 if isinstance(store, RedisResponses) else 0.0)
    assert await store.get("acme", "r1") is None
    assert not await store.delete("acme", "r1")


async def test_all_together_never_hold_more_than_they_may_and_the_largest_tenant_gives_way(
    store: ResponseStore,
) -> None:
    if isinstance(store, RedisResponses):
        pytest.skip("Redis has a bound of its own, maxmemory")
    await store.put("small", "r0", b"x" * 10)
    for i in range(3):
        await store.put("large", f"r{i}", b"x" * 40)
    assert [await store.get("large", f"r{i}") is not None for i in range(3)] == [False, True, True]
    assert await store.get("small", "r0") is not None
    await store.put("huge", "r0", b"x" * 101)
    assert await store.get("huge", "r0") is None


async def test_many_at_once_are_all_kept(open_store: Open) -> None:
    replicas = [open_store(BOUNDS), open_store(BOUNDS)]
    await asyncio.gather(*(replicas[i % 2].put(f"t{i}", "r", b"x") for i in range(40)))
    assert await asyncio.gather(*(replicas[0].get(f"t{i}", "r") for i in range(40))) == [b"x"] * 40
