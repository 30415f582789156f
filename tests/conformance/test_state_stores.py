"""One suite over every state store: what a limit means must not depend on where it is counted."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis, RedisCluster

from gateway.state import Claim, FileState, MemoryState, Quota, RedisState, Remembered, Settlement, StateStore
from router import SessionState
from tests.waiting import AT_MOST_S

pytestmark = pytest.mark.loopback  # Redis listens on a socket of the file system, on this machine

DAY_S = 86_400.0
NOON = 1_795_435_200.0  # 2026-11-23 12:00 UTC


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


Open = Callable[[], Awaitable[StateStore]]


@pytest.fixture(params=["memory", "files", "redis", "cluster"])
async def open_store(request: pytest.FixtureRequest, clock: Clock, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens the store as one more replica sees it."""
    opened: list[StateStore] = []
    memory = MemoryState(clock=clock)
    where = request.getfixturevalue({"redis": "common_redis", "cluster": "cluster_url"}.get(request.param, "clock"))

    async def begin() -> StateStore:
        if request.param == "memory":
            return memory
        if request.param == "files":
            return FileState(tmp_path, clock=clock)
        client: Any = Redis.from_url(where.url) if request.param == "redis" else RedisCluster.from_url(where)
        if not opened:
            await client.flushall()
        opened.append(RedisState(client, clock=clock, timeout_s=AT_MOST_S))
        return opened[-1]

    yield begin
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_store: Open) -> StateStore:
    return await open_store()


def claim(quota: Quota, **more: Any) -> Claim:
    return Claim(**{"holder": "key", "quota": quota, "wall_s": NOON, "requests": 1, **more})


async def test_a_minute_holds_as_many_requests_as_it_may_and_then_refills_evenly(
    store: StateStore, clock: Clock
) -> None:
    quota = Quota(requests_per_minute=3)
    grants = [await store.reserve(claim(quota)) for _ in range(4)]
    assert [g.refused_by for g in grants] == [None, None, None, "requests_per_minute"]
    assert [g.requests_left for g in grants] == [2, 1, 0, 0]
    assert grants[3].retry_after_s == pytest.approx(20.0)  # a third of a minute
    clock.now_s += 20.0
    assert (await store.reserve(claim(quota))).refused_by is None
    assert (await store.reserve(claim(quota))).refused_by == "requests_per_minute"


async def test_tokens_are_corrected_once_their_number_is_known(store: StateStore, clock: Clock) -> None:
    quota = Quota(tokens_per_minute=1_000)
    assert (await store.reserve(claim(quota, tokens=800))).tokens_left == 200
    assert (await store.reserve(claim(quota, tokens=300))).refused_by == "tokens_per_minute"
    await store.settle(Settlement(holder="key", quota=quota, wall_s=NOON, tokens_more=-700))
    assert (await store.reserve(claim(quota, tokens=300))).tokens_left == 600
    await store.settle(Settlement(holder="key", quota=quota, wall_s=NOON, tokens_more=900))  # 300 too many
    refused = await store.reserve(claim(quota))
    assert (refused.refused_by, refused.tokens_left) == ("tokens_per_minute", 0)
    assert refused.retry_after_s == pytest.approx(0.301 * 60)


async def test_waiting_does_not_help_who_wants_more_than_a_minute_holds(store: StateStore, clock: Clock) -> None:
    refused = await store.reserve(claim(Quota(tokens_per_minute=100), tokens=101))
    assert (refused.refused_by, refused.retry_after_s) == ("tokens_per_minute", None)


async def test_what_is_refused_takes_nothing(store: StateStore, clock: Clock) -> None:
    quota = Quota(requests_per_minute=2, max_concurrency=1)
    assert (await store.reserve(claim(quota, lease_id="a"))).requests_left == 1
    for _ in range(5):
        assert (await store.reserve(claim(quota, lease_id="b"))).refused_by == "max_concurrency"
    await store.settle(Settlement(holder="key", quota=quota, wall_s=NOON, lease_id="a"))
    assert (await store.reserve(claim(quota, lease_id="b"))).requests_left == 0


async def test_a_place_is_given_back_when_its_replica_has_died(store: StateStore, clock: Clock) -> None:
    quota = Quota(max_concurrency=1)
    assert (await store.reserve(claim(quota, lease_id="a", lease_s=30.0))).refused_by is None
    assert (await store.reserve(claim(quota, lease_id="b"))).refused_by == "max_concurrency"
    clock.now_s += 31.0
    assert (await store.reserve(claim(quota, lease_id="b"))).refused_by is None


async def test_a_budget_is_spent_to_its_last_cent_and_no_further(store: StateStore, clock: Clock) -> None:
    quota = Quota(budget_usd_per_day=1.0)
    assert (await store.reserve(claim(quota, cost_usd=0.4))).usd_left == pytest.approx(0.6)
    assert (await store.reserve(claim(quota, cost_usd=0.6))).usd_left == pytest.approx(0.0)
    refused = await store.reserve(claim(quota))
    assert (refused.refused_by, refused.usd_left) == ("budget_usd_per_day", 0.0)


async def test_the_budget_of_which_the_smallest_share_is_left_is_told(store: StateStore) -> None:
    quota = Quota(budget_usd_per_day=1.0, budget_usd_per_month=2.0)
    first = await store.reserve(claim(quota, cost_usd=0.75))
    assert (first.scarcest, first.scarcest_share) == ("budget_usd_per_day", 1.0)
    second = await store.reserve(claim(quota, cost_usd=0.25))
    assert (second.scarcest, second.scarcest_share) == ("budget_usd_per_day", pytest.approx(0.25))
    third = await store.reserve(claim(quota, wall_s=NOON + 86_400.0))
    assert (third.scarcest, third.scarcest_share) == ("budget_usd_per_month", pytest.approx(0.5))
    assert (await store.reserve(claim(Quota(max_concurrency=1)))).scarcest is None


async def test_a_new_day_has_a_new_budget_and_the_month_goes_on(store: StateStore, clock: Clock) -> None:
    quota = Quota(budget_usd_per_day=1.0, budget_usd_per_month=1.5)
    await store.reserve(claim(quota, cost_usd=1.0))
    tomorrow = NOON + DAY_S
    assert (await store.reserve(claim(quota, cost_usd=0.6, wall_s=tomorrow))).refused_by == "budget_usd_per_month"
    assert (await store.reserve(claim(quota, cost_usd=0.5, wall_s=tomorrow))).refused_by is None
    next_month = NOON + 10 * DAY_S
    assert (await store.reserve(claim(quota, wall_s=next_month))).usd_left == pytest.approx(1.0)


async def test_a_clock_that_was_wrong_for_a_while_forgives_nothing(store: StateStore, clock: Clock) -> None:
    quota = Quota(budget_usd_per_day=1.0, budget_usd_per_month=1.5)
    await store.reserve(claim(quota, cost_usd=0.9))
    for wrong in (NOON + 40 * DAY_S, NOON - 40 * DAY_S):
        assert (await store.reserve(claim(quota, cost_usd=0.1, wall_s=wrong))).refused_by is None
    assert (await store.reserve(claim(quota))).usd_left == pytest.approx(0.1)


async def test_the_bill_corrects_what_was_reserved(store: StateStore, clock: Clock) -> None:
    quota = Quota(budget_usd_per_day=1.0)
    await store.reserve(claim(quota, cost_usd=0.9))
    await store.settle(Settlement(holder="key", quota=quota, wall_s=NOON, cost_usd_more=-0.65))
    assert (await store.reserve(claim(quota))).usd_left == pytest.approx(0.75)


async def test_a_billionth_of_a_dollar_is_not_lost(store: StateStore, clock: Clock) -> None:
    quota = Quota(budget_usd_per_day=0.000_001)
    for _ in range(1_000):
        await store.settle(Settlement(holder="key", quota=quota, wall_s=NOON, cost_usd_more=1e-9))
    assert (await store.reserve(claim(quota))).refused_by == "budget_usd_per_day"


async def test_holders_do_not_share(store: StateStore, clock: Clock) -> None:
    quota = Quota(requests_per_minute=1, budget_usd_per_day=1.0)
    assert (await store.reserve(claim(quota, cost_usd=1.0))).refused_by is None
    assert (await store.reserve(claim(quota, cost_usd=1.0, holder="other"))).refused_by is None


async def test_a_conversation_is_remembered_for_its_holder_until_it_is_stale(store: StateStore, clock: Clock) -> None:
    state = SessionState(backend_id="strong", cached_tokens=1_200, pinned=True)
    kept = Remembered(session_id="s1", state=state, keep_s=60.0)
    await store.settle(Settlement(holder="key", quota=Quota(), wall_s=NOON, remember=kept))
    assert (await store.reserve(claim(Quota(), session_id="s1"))).session == state
    assert (await store.reserve(claim(Quota(), session_id="s2"))).session is None
    assert (await store.reserve(claim(Quota(), session_id="s1", holder="other"))).session is None


async def test_two_replicas_at_once_admit_exactly_what_one_may(open_store: Open, clock: Clock) -> None:
    quota = Quota(requests_per_minute=50, max_concurrency=20, budget_usd_per_day=1.0)
    replicas = [await open_store(), await open_store()]
    claims = [
        replicas[i % 2].reserve(claim(quota, lease_id=f"lease{i}", cost_usd=0.1, tokens=i % 7)) for i in range(60)
    ]
    grants = await asyncio.gather(*claims)
    assert sum(grant.refused_by is None for grant in grants) == 10  # ten dimes in a dollar
