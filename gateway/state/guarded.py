"""A breaker around shared state: while it is slow or away, a replica answers from its own, and says so.

A slow store is worse than a dead one, since every request would wait for it; so a few failures in a row and nobody asks
until a rest is over, and then one request at a time probes. Limits are then those of one replica. What was spent in the
meantime is kept and told to the store when it is back, or when this process ends.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

import structlog

from gateway.upstreams.breaker import Breaker

from .protocol import Claim, Grant, Settlement, StateStore, StateUnavailableError, periods

__all__ = ["GuardedState", "StateWatcher"]

log = structlog.get_logger(__name__)

_MAX_OWED = 20_000
_PAID_AT_ONCE = 20
_PAYS_AT_THE_END_S = 2.0


class StateWatcher(Protocol):
    """Hears how the shared state fares."""

    def degraded(self, *, is_degraded: bool) -> None:
        """It went away, or came back."""
        ...

    def failed(self) -> None:
        """It could not be asked."""
        ...


class GuardedState:
    """A `StateStore` that always answers."""

    def __init__(
        self,
        shared: StateStore,
        own: StateStore,
        *,
        clock: Callable[[], float],
        watcher: StateWatcher,
        breaker: Breaker | None = None,
    ) -> None:
        """`clock` is monotonic, in seconds."""
        self._shared, self._own, self._clock, self._watcher = shared, own, clock, watcher
        self._breaker = breaker or Breaker(failures_to_open=3, first_rest_s=1.0, longest_rest_s=30.0)
        self._owed: deque[Settlement] = deque(maxlen=_MAX_OWED)
        self._is_degraded = False
        self._own_leases: set[str] = set()
        self._left: dict[str, tuple[float, float]] = {}  # holder -> when, and the dollars that were left in all

    async def reserve(self, claim: Claim) -> Grant:
        """Ask the shared state, or the own one where that is away."""
        if self._breaker.begin(self._clock()):
            try:
                grant = await self._shared.reserve(claim)
            except StateUnavailableError as exc:
                self._went_wrong(exc)
            except BaseException:
                self._breaker.abandon()
                raise
            else:
                await self._went_well()
                if grant.usd_left is not None:
                    self._left[claim.holder] = (claim.wall_s, grant.usd_left)
                return grant
        await self._own_knows_what_was_left(claim)
        grant = await self._own.reserve(claim)
        if grant.refused_by is None:
            if claim.lease_id is not None:
                self._own_leases.add(claim.lease_id)
            if claim.cost_usd or claim.tokens:
                self._owed.append(_as_taken(claim))
        return replace(grant, shared=False)

    async def settle(self, settlement: Settlement) -> None:
        """Settle where it was claimed; what the shared state misses, it is told later."""
        if settlement.lease_id in self._own_leases:
            self._own_leases.discard(settlement.lease_id)
            await self._own.settle(settlement)
        if self._breaker.begin(self._clock()):
            try:
                await self._shared.settle(settlement)
            except StateUnavailableError as exc:
                self._went_wrong(exc)
                settlement = _never_less(settlement)
            except BaseException:
                self._breaker.abandon()
                self._owed.append(_never_less(settlement))
                raise
            else:
                await self._went_well()
                return
        self._owed.append(settlement)
        if settlement.remember is not None:
            await self._own.settle(replace(settlement, tokens_more=0, cost_usd_more=0.0, lease_id=None))

    async def close(self) -> None:
        """Pay what is owed, as far as the shared state takes it now, and close both."""
        with suppress(StateUnavailableError, TimeoutError):
            async with asyncio.timeout(_PAYS_AT_THE_END_S):
                while self._owed:
                    await self._shared.settle(self._owed[0])
                    self._owed.popleft()
        if self._owed:
            log.error("shared_state_not_told", owed=len(self._owed), reason="it is away, and this process ends")
        await self._shared.close()
        await self._own.close()

    async def _own_knows_what_was_left(self, claim: Claim) -> None:
        """A budget that all replicas have spent is not whole again in each of them because the shared state is away."""
        known, quota = self._left.pop(claim.holder, None), claim.quota
        if known is None or not quota.has_budget:
            return
        at_s, left_usd = known
        is_of_today = quota.budget_usd_per_day is not None  # of both budgets mostly the day's has less left
        if periods(at_s)[not is_of_today] != periods(claim.wall_s)[not is_of_today]:
            return
        only_asks = Claim(holder=claim.holder, quota=quota, wall_s=claim.wall_s)
        own_left_usd = (await self._own.reserve(only_asks)).usd_left or 0.0
        spent = Settlement(
            holder=claim.holder, quota=quota, wall_s=claim.wall_s, cost_usd_more=max(0.0, own_left_usd - left_usd)
        )
        await self._own.settle(spent)

    def _went_wrong(self, problem: StateUnavailableError) -> None:
        self._breaker.fail(self._clock())
        self._watcher.failed()
        if not self._is_degraded:
            self._is_degraded = True
            self._watcher.degraded(is_degraded=True)
            log.warning("shared_state_lost", reason=str(problem), answer="limits hold per replica until it is back")

    async def _went_well(self) -> None:
        self._breaker.succeed()
        if self._is_degraded:
            self._is_degraded = False
            self._watcher.degraded(is_degraded=False)
            log.warning("shared_state_back", owed=len(self._owed))
        for _ in range(_PAID_AT_ONCE):  # a request waits meanwhile; the next ones pay the rest
            if not self._owed:  # others pay at the same time
                return
            settlement = self._owed.popleft()
            try:
                await self._shared.settle(settlement)
            except StateUnavailableError as exc:
                self._owed.appendleft(_never_less(settlement))
                self._went_wrong(exc)
                return


def _as_taken(claim: Claim) -> Settlement:
    """What the shared state would have charged, had it been there."""
    return Settlement(
        holder=claim.holder,
        quota=claim.quota,
        wall_s=claim.wall_s,
        tokens_more=claim.tokens,
        cost_usd_more=claim.cost_usd,
    )


def _never_less(settlement: Settlement) -> Settlement:
    """A settlement that may have been made already: made twice, it must not give back twice."""
    return replace(
        settlement, tokens_more=max(0, settlement.tokens_more), cost_usd_more=max(0.0, settlement.cost_usd_more)
    )
