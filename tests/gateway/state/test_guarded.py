"""The breaker around shared state."""

import asyncio

import pytest
import structlog

from gateway.state import (
    Claim,
    Grant,
    GuardedState,
    MemoryState,
    Quota,
    RedisState,
    Settlement,
    StateUnavailableError,
)

QUOTA = Quota(requests_per_minute=2, budget_usd_per_day=1.0)
NOON = 1_795_435_200.0


class Moody(MemoryState):
    """A store that is away when told so."""

    def __init__(self) -> None:
        super().__init__(clock=lambda: 0.0)
        self.away, self.asked = False, 0

    async def reserve(self, claim: Claim) -> Grant:
        self._answer()
        return await super().reserve(claim)

    async def settle(self, settlement: Settlement) -> None:
        self._answer()
        await super().settle(settlement)

    def _answer(self) -> None:
        self.asked += 1
        if self.away:
            raise StateUnavailableError("away")


class Ears:
    def __init__(self) -> None:
        self.heard: list[bool] = []
        self.failures = 0

    def degraded(self, *, is_degraded: bool) -> None:
        self.heard.append(is_degraded)

    def failed(self) -> None:
        self.failures += 1


class Setting:
    def __init__(self) -> None:
        self.now_s, self.shared, self.ears = 0.0, Moody(), Ears()
        own = MemoryState(clock=lambda: self.now_s)
        self.guarded = GuardedState(self.shared, own, clock=lambda: self.now_s, watcher=self.ears)

    async def claim(self, **more: object) -> Grant:
        return await self.guarded.reserve(
            Claim(**{"holder": "key", "quota": QUOTA, "wall_s": NOON, "requests": 1, **more})  # type: ignore[arg-type]
        )


@pytest.fixture
def setting() -> Setting:
    return Setting()


async def test_a_replica_goes_on_alone_with_the_same_limits(setting: Setting) -> None:
    setting.shared.away = True
    grants = [await setting.claim() for _ in range(3)]
    assert [grant.refused_by for grant in grants] == [None, None, "requests_per_minute"]
    assert not any(grant.shared for grant in grants)
    assert setting.ears.heard == [True]


async def test_a_store_that_keeps_failing_is_left_alone_and_probed_after_a_rest(setting: Setting) -> None:
    setting.shared.away = True
    for _ in range(10):
        await setting.claim()
    assert setting.shared.asked == 3  # then nobody waits for it any more
    setting.shared.away = False
    setting.now_s = 1.5
    assert (await setting.claim()).shared
    assert setting.ears.heard == [True, False]


async def test_what_was_spent_meanwhile_is_told_when_it_is_back(setting: Setting) -> None:
    setting.shared.away = True
    await setting.claim(cost_usd=0.75, lease_id="a")
    await setting.guarded.settle(Settlement(holder="key", quota=QUOTA, wall_s=NOON, cost_usd_more=0.125, lease_id="a"))
    setting.shared.away = False
    await setting.claim(requests=0)
    left = await setting.shared.reserve(Claim(holder="key", quota=QUOTA, wall_s=NOON))
    assert left.usd_left == pytest.approx(0.125)  # 1 - 0.75 - 0.125


async def test_a_settlement_that_may_have_arrived_never_gives_back_twice(setting: Setting) -> None:
    await setting.claim(cost_usd=0.5, lease_id="a")
    setting.shared.away = True
    await setting.guarded.settle(Settlement(holder="key", quota=QUOTA, wall_s=NOON, cost_usd_more=-0.5, lease_id="a"))
    setting.shared.away = False
    await setting.claim(requests=0)
    left = await setting.shared.reserve(Claim(holder="key", quota=QUOTA, wall_s=NOON))
    assert left.usd_left == pytest.approx(0.5)


async def test_what_is_owed_is_told_at_the_end_where_nobody_comes_any_more(setting: Setting) -> None:
    setting.shared.away = True
    for _ in range(2):
        await setting.claim(cost_usd=0.25)
    setting.shared.away = False
    await setting.guarded.close()
    left = await setting.shared.reserve(Claim(holder="key", quota=QUOTA, wall_s=NOON))
    assert left.usd_left == pytest.approx(0.5)


async def test_what_is_owed_to_a_store_that_is_away_at_the_end_is_said_to_be_lost(setting: Setting) -> None:
    setting.shared.away = True
    await setting.claim(cost_usd=0.25)
    with structlog.testing.capture_logs() as log:
        await setting.guarded.close()
    (told,) = log
    assert (told["event"], told["owed"]) == ("shared_state_not_told", 1)


@pytest.mark.parametrize("quota", [Quota(budget_usd_per_day=1.0), Quota(budget_usd_per_month=1.0)])
async def test_a_budget_that_was_spent_is_not_whole_again_while_the_store_is_away(
    setting: Setting, quota: Quota
) -> None:
    """Each replica gave all of it once more."""
    await setting.shared.reserve(Claim(holder="key", quota=quota, wall_s=NOON, cost_usd=0.5))  # another replica
    await setting.claim(quota=quota, cost_usd=0.25)
    setting.shared.away = True
    refused = await setting.claim(quota=quota, cost_usd=0.375)
    granted = await setting.claim(quota=quota, cost_usd=0.25)
    assert (refused.refused_by is not None, granted.refused_by) == (True, None)
    assert (await setting.claim(quota=quota)).refused_by is not None
    tomorrow = await setting.claim(quota=quota, wall_s=NOON + 86_400.0, cost_usd=0.25)
    assert (tomorrow.refused_by is None) == (quota.budget_usd_per_day is not None)


async def test_what_a_replica_spent_alone_is_counted_once_when_the_store_goes_away_again(setting: Setting) -> None:
    quota = Quota(budget_usd_per_day=1.0)
    for _ in range(2):
        setting.shared.away = False
        await setting.claim(quota=quota, requests=0)
        setting.shared.away = True
        assert (await setting.claim(quota=quota, cost_usd=0.25)).refused_by is None
    assert (await setting.claim(quota=quota)).usd_left == pytest.approx(0.5)


@pytest.mark.loopback
async def test_a_redis_that_is_not_there_is_unavailable_and_nothing_else() -> None:
    store = RedisState.at("redis://127.0.0.1:9/0", timeout_s=1.0)  # the discard port: nobody listens
    with pytest.raises(StateUnavailableError):
        await store.reserve(Claim(holder="key", quota=QUOTA, wall_s=NOON))
    await store.close()


async def test_what_is_owed_is_paid_once_by_those_who_come_at_the_same_time() -> None:
    class Distant(Moody):
        async def settle(self, settlement: Settlement) -> None:
            await asyncio.sleep(0)  # others have their turn meanwhile
            await super().settle(settlement)

    shared, quota = Distant(), Quota(budget_usd_per_day=1.0)
    guarded = GuardedState(shared, MemoryState(clock=lambda: 0.0), clock=lambda: 0.0, watcher=Ears())
    shared.away = True
    for _ in range(2):
        await guarded.reserve(Claim(holder="key", quota=quota, wall_s=NOON, cost_usd=0.1))
    shared.away = False
    asked = (Claim(holder="key", quota=quota, wall_s=NOON) for _ in range(4))
    await asyncio.gather(*(guarded.reserve(claim) for claim in asked))
    last = await guarded.reserve(Claim(holder="key", quota=quota, wall_s=NOON))
    assert last.usd_left == pytest.approx(0.8)
