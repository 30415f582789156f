"""Shared state of one process: what a single gateway needs, and what others fall back to."""

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from router import SessionState

from .gcra import correct, take
from .protocol import Claim, Grant, LimitName, Quota, Settlement, from_nano_usd, periods, to_nano_usd

__all__ = ["Account", "MemoryState"]

_MAX_SESSIONS = 50_000
_MAX_PERIODS = 64  # days and months of which the spending is known: two months, whatever the clock says meanwhile


@dataclass(slots=True)
class Account:
    """One holder's use."""

    tat_s: dict[LimitName, float] = field(default_factory=dict)
    leases: dict[str, float] = field(default_factory=dict)  # id -> when it expires
    spent_nano: dict[str, int] = field(default_factory=dict)  # by day and by month


class MemoryState:
    """A `StateStore` in memory. Nothing awaits in here, so that every call is atomic."""

    def __init__(self, *, clock: Callable[[], float], max_sessions: int = _MAX_SESSIONS) -> None:
        """`clock` is in seconds and never goes back."""
        self._clock, self._max_sessions = clock, max_sessions
        self._accounts: dict[str, Account] = {}
        self._charged: set[str] = set()  # holders, since `newly_spent` was asked
        self._sessions: OrderedDict[tuple[str, str], tuple[float, SessionState]] = OrderedDict()
        self._next_end_s = -math.inf  # before which no session ends
        self._sessions_of: dict[str, OrderedDict[str, None]] = {}  # holder -> ids in the same order

    async def reserve(self, claim: Claim) -> Grant:
        """Take everything that is claimed, or nothing."""
        session = self._session(claim.holder, claim.session_id) if claim.session_id else None
        if claim.quota.is_unlimited:
            return Grant(session=session)
        account, now_s = self._accounts.setdefault(claim.holder, Account()), self._clock()
        grant = self._rates(claim, account, now_s)
        refused = grant.refused_by or self._refused_place(claim, account, now_s)
        left_nano = _left_nano(claim.quota, account, claim.wall_s)
        if refused is None:
            refused = _overspent(claim, left_nano)
        grant = replace(grant, refused_by=refused, session=session, **_scarcest(claim.quota, left_nano))
        if refused is None:
            return self._taken(claim, account, now_s, grant)
        return grant

    async def settle(self, settlement: Settlement) -> None:
        """Correct what was claimed, give the place back, remember the conversation."""
        self.settle_now(settlement)

    def settle_now(self, settlement: Settlement) -> None:
        """`settle`, for callers who would make a task only to wait for nothing."""
        now_s = self._clock()
        if settlement.remember is not None:
            key = (settlement.holder, settlement.remember.session_id)
            self._sessions[key] = (now_s + settlement.remember.keep_s, settlement.remember.state)
            self._sessions.move_to_end(key)
            own = self._sessions_of.setdefault(key[0], OrderedDict())
            own[key[1]] = None
            own.move_to_end(key[1])
            if now_s >= self._next_end_s or len(self._sessions) > self._max_sessions:
                self._forget_sessions(now_s, holder=key[0])
        if settlement.quota.is_unlimited:
            return
        account = self._accounts.setdefault(settlement.holder, Account())
        if settlement.lease_id is not None:
            account.leases.pop(settlement.lease_id, None)
        limit = settlement.quota.tokens_per_minute
        if limit is not None and settlement.tokens_more:
            before_s = account.tat_s.get("tokens_per_minute", now_s)
            account.tat_s["tokens_per_minute"] = correct(
                before_s, now_s=now_s, limit=limit, amount=settlement.tokens_more
            )
        self._charge(settlement.holder, account, settlement.wall_s, to_nano_usd(settlement.cost_usd_more))

    async def close(self) -> None:
        """Nothing to let go of."""

    def newly_spent(self) -> dict[str, dict[str, int]]:
        """All that those have spent who were charged since the last call: billionths of a dollar, by day and month."""
        charged, self._charged = self._charged, set()
        return {name: dict(self._accounts[name].spent_nano) for name in charged}

    def restore(self, spent: Mapping[str, Mapping[str, int]]) -> None:
        """Begin with what was spent before, as `newly_spent` told it."""
        for name, periods_spent in spent.items():
            self._accounts.setdefault(name, Account()).spent_nano = dict(periods_spent)

    def _session(self, holder: str, session_id: str) -> SessionState | None:
        kept = self._sessions.get((holder, session_id))
        if kept is None:
            return None
        if kept[0] <= self._clock():
            self._forget((holder, session_id))
            return None
        return kept[1]

    def _forget_sessions(self, now_s: float, *, holder: str) -> None:
        """Those that nobody goes on with, and one beyond the bound; all are kept equally long.

        Where this holder has more than its share, it is its own oldest, so that nobody drives out those of others.
        """
        while self._sessions:
            oldest, (self._next_end_s, _) = next(iter(self._sessions.items()))
            if self._next_end_s > now_s:
                break
            self._forget(oldest)
        while len(self._sessions) > self._max_sessions:
            own = self._sessions_of[holder]
            has_more = len(own) * len(self._sessions_of) > self._max_sessions
            self._forget((holder, next(iter(own))) if has_more else next(iter(self._sessions)))

    def _forget(self, key: tuple[str, str]) -> None:
        holder, session_id = key
        del self._sessions[key]
        own = self._sessions_of[holder]
        del own[session_id]
        if not own:
            del self._sessions_of[holder]

    def _rates(self, claim: Claim, account: Account, now_s: float) -> Grant:
        """Whether both rates allow it; takes nothing yet."""
        grant = Grant()
        wanted: tuple[tuple[LimitName, int | None, int, str], ...] = (
            ("requests_per_minute", claim.quota.requests_per_minute, claim.requests, "requests"),
            ("tokens_per_minute", claim.quota.tokens_per_minute, claim.tokens, "tokens"),
        )
        for name, limit, amount, word in wanted:
            if limit is None:
                continue
            tat_s = account.tat_s.get(name, 0.0)
            taken = take(tat_s, now_s=now_s, limit=limit, amount=amount)
            known = {f"{word}_left": taken.left, f"{word}_reset_s": max(0.0, taken.tat_s - now_s)}
            grant = replace(grant, **known)  # type: ignore[arg-type] # the names are the fields'
            asked_only = amount == 0 and name == "requests_per_minute"  # its request was admitted before
            if not taken.granted and not asked_only and grant.refused_by is None:
                grant = replace(grant, refused_by=name, retry_after_s=taken.retry_after_s)
        return grant

    @staticmethod
    def _refused_place(claim: Claim, account: Account, now_s: float) -> LimitName | None:
        limit = claim.quota.max_concurrency
        if limit is None or claim.lease_id is None:
            return None
        for lease in [name for name, until_s in account.leases.items() if until_s <= now_s]:
            del account.leases[lease]
        return "max_concurrency" if len(account.leases) >= limit else None

    def _taken(self, claim: Claim, account: Account, now_s: float, grant: Grant) -> Grant:
        quota = claim.quota
        if quota.requests_per_minute is not None:
            account.tat_s["requests_per_minute"] = now_s + grant.requests_reset_s
        if quota.tokens_per_minute is not None:
            account.tat_s["tokens_per_minute"] = now_s + grant.tokens_reset_s
        if quota.max_concurrency is not None and claim.lease_id is not None:
            account.leases[claim.lease_id] = now_s + claim.lease_s
        nano = to_nano_usd(claim.cost_usd)
        self._charge(claim.holder, account, claim.wall_s, nano)
        return grant if grant.usd_left is None else replace(grant, usd_left=grant.usd_left - from_nano_usd(nano))

    def _charge(self, holder: str, account: Account, wall_s: float, nano: int) -> None:
        if nano == 0:
            return
        self._charged.add(holder)
        for period in periods(wall_s):
            account.spent_nano[period] = account.spent_nano.get(period, 0) + nano
        while len(account.spent_nano) > _MAX_PERIODS:
            del account.spent_nano[min(account.spent_nano)]


def _left_nano(quota: Quota, account: Account, wall_s: float) -> dict[LimitName, int]:
    day, month = periods(wall_s)
    left: dict[LimitName, int] = {}
    if quota.budget_usd_per_day is not None:
        left["budget_usd_per_day"] = to_nano_usd(quota.budget_usd_per_day) - account.spent_nano.get(day, 0)
    if quota.budget_usd_per_month is not None:
        left["budget_usd_per_month"] = to_nano_usd(quota.budget_usd_per_month) - account.spent_nano.get(month, 0)
    return left


def _scarcest(quota: Quota, left_nano: dict[LimitName, int]) -> dict[str, Any]:
    """What a grant tells of budgets."""
    if not left_nano:
        return {}
    shares = {name: left / max(to_nano_usd(getattr(quota, name)), 1) for name, left in left_nano.items()}
    scarcest = min(shares, key=shares.__getitem__)
    return {
        "usd_left": from_nano_usd(min(left_nano.values())),
        "scarcest": scarcest,
        "scarcest_share": shares[scarcest],
    }


def _overspent(claim: Claim, left_nano: dict[LimitName, int]) -> LimitName | None:
    wanted = max(1, to_nano_usd(claim.cost_usd))  # asking with 0 asks whether anything is left
    return next((name for name, left in left_nano.items() if wanted > left), None)
