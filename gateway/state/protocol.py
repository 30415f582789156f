"""What requests and replicas share: rates, places, dollars and conversations; and what a store of it must do.

Rates are GCRA (`gcra.py`): up to a minute's worth at once, refilled evenly. Places are leases that expire, so that a
replica that dies gives its places back. Dollars are charged when they are reserved and corrected when the bill is
known, so that what runs at the same time cannot overspend together, and a crash charges the estimate rather than
nothing. Days and months are UTC.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

from catalog import record
from router import SessionState

__all__ = [
    "Claim",
    "Grant",
    "LimitName",
    "Quota",
    "Remembered",
    "Settlement",
    "StateStore",
    "StateUnavailableError",
    "from_nano_usd",
    "periods",
    "to_nano_usd",
]

LimitName = Literal[
    "requests_per_minute", "tokens_per_minute", "max_concurrency", "budget_usd_per_day", "budget_usd_per_month"
]

_NANO = 1_000_000_000  # dollars are counted in whole billionths, which add up exactly


class StateUnavailableError(Exception):
    """The store cannot be asked now. Never reaches a client: `GuardedState` answers it with local state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What one holder may use; None is unlimited."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    max_concurrency: int | None = None
    budget_usd_per_day: float | None = None
    budget_usd_per_month: float | None = None

    @property
    def is_unlimited(self) -> bool:
        """Nothing to count."""
        return (
            self.requests_per_minute is None
            and self.tokens_per_minute is None
            and self.max_concurrency is None
            and not self.has_budget
        )

    @property
    def has_budget(self) -> bool:
        """Dollars are counted."""
        return self.budget_usd_per_day is not None or self.budget_usd_per_month is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a request wants to take, all or nothing. An amount of 0 only asks whether anything is left."""

    holder: str  # whose quota: a key's id
    quota: Quota
    wall_s: float  # seconds since the epoch: says which day and month pay
    requests: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    lease_id: str | None = None  # takes one of the places until it is settled
    lease_s: float = 660.0  # after which a place that nobody gave back is free again
    session_id: str | None = None  # a conversation to look up on the way


@record
class Grant:
    """What became of a claim."""

    refused_by: LimitName | None = None
    retry_after_s: float | None = None  # None: waiting does not help, or nobody can say how long
    requests_left: int | None = None  # of this minute; None where unlimited
    tokens_left: int | None = None
    requests_reset_s: float = 0.0  # until the minute's worth is whole again
    tokens_reset_s: float = 0.0
    usd_left: float | None = None  # of whatever budget has the fewest dollars left
    scarcest: LimitName | None = None  # the budget of which the smallest share was left before the claim
    scarcest_share: float = 1.0  # ... and that share; below 0 where it is overspent
    session: SessionState | None = None
    shared: bool = True  # False: a replica's own state answered, the shared one being away


@record
class Remembered:
    """A conversation to keep."""

    session_id: str
    state: SessionState
    keep_s: float


@record
class Settlement:
    """What a request took in the end, against what was claimed for it."""

    holder: str
    quota: Quota
    wall_s: float  # that of the claim: the same day pays
    tokens_more: int = 0  # real minus claimed; negative gives back
    cost_usd_more: float = 0.0
    lease_id: str | None = None
    remember: Remembered | None = None


class StateStore(Protocol):
    """Atomic and exact for everybody who shares it. One round trip per call.

    Raises (either call): StateUnavailableError.
    """

    async def reserve(self, claim: Claim) -> Grant:
        """Take everything that is claimed, or nothing and say which limit refused."""
        ...

    async def settle(self, settlement: Settlement) -> None:
        """Correct what was claimed, give the place back, and remember the conversation."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


def to_nano_usd(usd: float) -> int:
    """Dollars in whole billionths."""
    return round(usd * _NANO)


def from_nano_usd(nano: float) -> float:
    """And back."""
    return nano / _NANO


def periods(wall_s: float) -> tuple[str, str]:
    """The UTC day and month that pay, such as 2026-11-23 and 2026-11."""
    day = datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%d")
    return day, day[:7]
