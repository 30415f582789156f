"""A slow Redis is worse than a dead one (pain 28): nobody may wait for it, and limits still hold per replica."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from redis.exceptions import MovedError

from gateway.state import Claim, GuardedState, MemoryState, Quota, RedisState, StateUnavailableError
from gateway.upstreams.fake import FakeProvider
from tests.gateway.governance.test_governor import ask, make_key
from tests.gateway.running import backend, running
from tests.gateway.state.quoting import quoting_redis
from tests.gateway.state.servers import RedisServer
from tests.gateway.state.test_guarded import NOON, QUOTA, Ears, Setting

pytestmark = pytest.mark.loopback


class Wire:
    """TCP to a real Redis, which stops carrying anything while `stalled`."""

    def __init__(self) -> None:
        self.flows = asyncio.Event()
        self.flows.set()
        self.port = 0
        self.n_held_up = 0  # how often somebody said something that was not carried on

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"


@asynccontextmanager
async def wire_to(socket_file: str) -> AsyncIterator[Wire]:
    wire = Wire()
    carried: set[asyncio.Task[None]] = set()

    async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65_536):
                wire.n_held_up += not wire.flows.is_set()
                await wire.flows.wait()
                target.write(data)
        target.close()

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(socket_file)
        for pair in ((reader, far_writer), (far_reader, writer)):
            carried.add(asyncio.create_task(carry(*pair)))

    server = await asyncio.start_server(join, "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    yield wire
    wire.flows.set()
    server.close()
    for task in carried:
        task.cancel()
    await asyncio.gather(*carried, return_exceptions=True)


async def test_requests_do_not_wait_for_a_redis_that_stalls(tmp_path: Path, common_redis: RedisServer) -> None:
    key = make_key(tmp_path, requests_per_minute=1_000, max_concurrency=50, budget_usd_per_day=100.0)
    async with (
        wire_to(str(common_redis.socket)) as wire,
        FakeProvider() as provider,
        running(
            backend("cheap", provider.url),
            tmp_path=tmp_path,
            settings={"state": {"dir": tmp_path, "url": wire.url, "timeout_ms": 200}},
        ) as gateway,
    ):
        assert (await ask(gateway, key)).status_code == 200
        wire.flows.clear()
        answers = [await ask(gateway, key) for _ in range(20)]
        degraded = (await gateway.client.get("/metrics", headers=key)).text
        wire.flows.set()
    assert {answer.status_code for answer in answers} == {200}
    assert 3 <= wire.n_held_up <= 12  # three failures open the breaker, which tries ever more seldom; else all 60 wait
    assert "paretogate_state_degraded 1.0" in degraded


async def test_a_redis_that_is_slow_from_the_start_is_left_alone_after_three_failures(
    common_redis: RedisServer,
) -> None:
    async with wire_to(str(common_redis.socket)) as wire:
        wire.flows.clear()
        ears = Ears()
        own = MemoryState(clock=lambda: 0.0)
        store = GuardedState(RedisState.at(wire.url, timeout_s=0.05), own, clock=lambda: 0.0, watcher=ears)
        grants = [await store.reserve(Claim(holder="k", quota=QUOTA, wall_s=NOON, requests=1)) for _ in range(6)]
        await store.close()
    assert [grant.refused_by for grant in grants] == [None, None, *["requests_per_minute"] * 4]
    assert ears.failures == 3


async def test_what_is_owed_is_paid_back_a_little_at_a_time() -> None:
    setting = Setting()
    setting.shared.away = True
    for _ in range(100):
        await setting.claim(quota=Quota(budget_usd_per_day=9.0), cost_usd=0.001)
    setting.shared.away, setting.now_s, setting.shared.asked = False, 60.0, 0
    await setting.claim(requests=0)
    assert setting.shared.asked <= 21  # the claim, and twenty debts


async def test_a_node_of_a_cluster_says_that_it_is_one() -> None:
    class Moved:
        async def initialize(self) -> None:
            return None

        async def evalsha(self, *_: object) -> None:
            raise MovedError("7365 127.0.0.1:7001")

    store = RedisState(Moved())
    with pytest.raises(StateUnavailableError, match=r"Redis Cluster.*state\.cluster = true"):
        await store.reserve(Claim(holder="k", quota=QUOTA, wall_s=NOON))


async def test_a_server_that_quotes_what_it_was_sent_gives_no_secret_away() -> None:
    with quoting_redis("pl4nted%2Fword") as url:
        store = RedisState.at(url, timeout_s=10.0)
        with pytest.raises(StateUnavailableError, match=r"unknown command.*\*\*\*") as refused:
            await store.reserve(Claim(holder="k", quota=QUOTA, wall_s=NOON))
        await store.close()
    assert "pl4nted" not in str(refused.value)
    assert refused.value.__cause__ is None
