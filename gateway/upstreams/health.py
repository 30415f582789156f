"""How the backends fare right now: breakers, requests in flight, and what their servers say, by backend id."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np

from catalog import Backend, Pool
from gateway.errors import (
    OverloadedError,
    UpstreamError,
    UpstreamNotAskedError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnsupportedError,
)
from gateway.state.gcra import Taken, take
from predictors import Load
from router import Bools

from .breaker import Breaker
from .server_load import ServerLoad

__all__ = ["STALE_AFTER_S", "BackendHealth", "Health"]

STALE_AFTER_S = 10.0  # a server's word about its load is forgotten when it is older


_NONE_AHEAD: Mapping[str, int] = MappingProxyType({})


@dataclass(slots=True)
class BackendHealth:
    """One backend."""

    breaker: Breaker = field(default_factory=Breaker)
    in_flight: int = 0
    tat_s: float = 0.0  # of its requests per minute; see `gateway.state.gcra`


@dataclass(frozen=True, slots=True)
class _Heard:
    """What a server said, and how many of the requests it spoke of were ours."""

    load: ServerLoad
    backend_ids: tuple[str, ...]  # those that share the server
    ours: int
    at_s: float


class Health:
    """All backends. Survives a reload of their profiles."""

    def __init__(self, *, clock: Callable[[], float], stale_after_s: float = STALE_AFTER_S) -> None:
        """`clock` is monotonic, in seconds; what a server says of its load counts for `stale_after_s`."""
        self._clock, self._stale_after_s = clock, stale_after_s
        self._heard: dict[str, _Heard] = {}
        self._last_heard_s: dict[str, float] = {}  # also of readings that are forgotten
        self._overfull: set[str] = set()  # those whose server said that it has more to do than their limits allow
        self._backends: dict[str, BackendHealth] = {}
        self._troubled: set[str] = set()  # those with a breaker that is not closed
        self._limited: set[str] = set()  # those that reached their concurrency
        self._spent: set[str] = set()  # those that were asked as often as this minute allows
        self._told_off: set[str] = set()  # those that rest because they said 429
        self._set_aside: set[str] = set()  # those that are not the model they claim to be

    def of(self, backend_id: str) -> BackendHealth:
        """One backend's health."""
        health = self._backends.get(backend_id)
        if health is None:
            health = self._backends[backend_id] = BackendHealth()
        return health

    def begin(self, backend: Backend) -> bool:
        """Take a place at a backend, or learn that there is none."""
        health = self.of(backend.id)
        limit = backend.limits.max_concurrency
        if backend.id in self._set_aside:
            return False
        if (limit is not None and health.in_flight >= limit) or self._is_overfull(backend.id):
            return False
        minute = self._minute(backend, 1)
        if minute is not None and not minute.granted:
            return False
        if not health.breaker.begin(self._clock()):
            return False
        health.in_flight += 1
        if minute is not None:
            health.tat_s = minute.tat_s
            if minute.left == 0:
                self._spent.add(backend.id)
        if limit is not None and health.in_flight >= limit:
            self._limited.add(backend.id)
        return True

    def end(self, backend: Backend, outcome: UpstreamError | Literal["answered", "abandoned"]) -> None:
        """Give the place back; a request that was abandoned, or had no time, tells nothing about the backend."""
        health = self.of(backend.id)
        health.in_flight -= 1
        self._limited.discard(backend.id)
        if isinstance(outcome, UpstreamError):
            outcome = _telling(outcome)
        if outcome == "answered":
            health.breaker.succeed()
            self._troubled.discard(backend.id)
            self._told_off.discard(backend.id)
        elif isinstance(outcome, UpstreamError):
            limited = isinstance(outcome, UpstreamStatusError) and outcome.status == 429
            rest_s = outcome.retry_after_s if isinstance(outcome, UpstreamStatusError) and limited else None
            hangs = isinstance(outcome, UpstreamTimeoutError) and self._has_fallen_silent(backend.id)
            health.breaker.fail(self._clock(), rest_s=rest_s, at_once=hangs)
            if health.breaker.open_until:
                self._troubled.add(backend.id)
            if limited:
                self._told_off.add(backend.id)
            else:
                self._told_off.discard(backend.id)
        else:
            health.breaker.abandon()

    def admits(self, backend: Backend, *, ahead: Mapping[str, int] = _NONE_AHEAD) -> bool:
        """Whether a place could be had, once those `ahead` have theirs."""
        health = self.of(backend.id)
        limit = backend.limits.max_concurrency
        if backend.id in self._set_aside:
            return False
        n_ahead = ahead.get(backend.id, 0)
        if (limit is not None and health.in_flight + n_ahead >= limit) or self._is_overfull(backend.id):
            return False
        minute = self._minute(backend, n_ahead + 1)
        if minute is not None and not minute.granted:
            return False
        self._spent.discard(backend.id)
        return health.breaker.admits(self._clock())

    def available(self, pool: Pool, *, ahead: Mapping[str, int] = _NONE_AHEAD) -> Bools | None:
        """(n_candidates,) False where a backend must be left alone; None where all may be asked.

        `ahead` are requests that have been decided about and are about to begin, by backend id.
        """
        unwell = self._troubled | self._limited | self._spent | self._overfull | self._set_aside | ahead.keys()
        if not unwell:
            return None
        return np.array(
            [
                entry.backend is None or entry.backend.id not in unwell or self.admits(entry.backend, ahead=ahead)
                for entry in pool.entries
            ],
            dtype=np.bool_,
        )  # (n_candidates,)

    def set_aside(self, backend: Backend) -> None:
        """Leave a backend alone, whatever else is known of it, until it is taken back."""
        self._set_aside.add(backend.id)

    def take_back(self, backend: Backend) -> bool:
        """Ask it again; whether it had been set aside."""
        was_aside = backend.id in self._set_aside
        self._set_aside.discard(backend.id)
        return was_aside

    def heard(self, backends: tuple[Backend, ...], load: ServerLoad) -> None:
        """A server said how busy it is; these backends are all that we know of it."""
        ids = tuple(backend.id for backend in backends)
        heard = _Heard(load, ids, self._ours(ids), self._clock())
        for backend in backends:
            self._heard[backend.id] = heard
            self._last_heard_s[backend.id] = heard.at_s
            if _exceeds(load, backend):
                self._overfull.add(backend.id)
            else:
                self._overfull.discard(backend.id)

    def server_loads(self) -> Mapping[str, ServerLoad]:
        """Backend id -> what its server last said, as far as that is not too old."""
        return {name: heard.load for name in tuple(self._heard) if (heard := self._fresh(name)) is not None}

    def load(self, *, ahead: Mapping[str, int] = _NONE_AHEAD) -> Load:
        """How busy each backend is: with requests of ours, and where its server tells, with everybody's.

        Between two readings our own requests are counted on: those that came since join the end of the queue. So do
        those `ahead`, which have been decided about and are about to begin, by backend id.
        """
        running = {name: float(health.in_flight) for name, health in self._backends.items() if health.in_flight}
        for name, n in ahead.items():
            running[name] = running.get(name, 0.0) + n
        if not self._heard:
            return Load(running=running)
        waiting: dict[str, float] = {}
        for name in tuple(self._heard):
            if (heard := self._fresh(name)) is not None:
                told = heard.load
                ours = self._ours(heard.backend_ids) + sum(ahead.get(other, 0) for other in heard.backend_ids)
                everybody = max(0.0, told.running + told.waiting + ours - heard.ours)
                running[name] = min(everybody, told.running) if told.waiting else everybody
                waiting[name] = everybody - running[name]
        return Load(running=running, waiting=waiting)

    def resting(self, backends: Iterable[Backend]) -> OverloadedError:
        """Why none of these can be asked now, and when the first of them may."""
        asked = tuple(backends)
        return OverloadedError(
            "every backend that may answer is resting or full; come back",
            retry_after_s=self.soonest_s(asked),
            is_rate_limit=bool(asked) and all(b.id in self._told_off or b.id in self._spent for b in asked),
        )

    def soonest_s(self, backends: Iterable[Backend]) -> float:
        """Seconds until the first of these may be asked again, at least a tenth."""
        return max(0.1, min(map(self._rests_s, backends), default=1.0))

    def _rests_s(self, backend: Backend) -> float:
        minute = self._minute(backend, 1)
        spent_s = minute.retry_after_s if minute is not None else None
        return max(self.of(backend.id).breaker.open_until - self._clock(), spent_s or 0.0)

    def _minute(self, backend: Backend, n: int) -> Taken | None:
        """What asking so many times would leave of the minute; None where nobody counts."""
        limit = backend.limits.requests_per_minute
        return None if limit is None else take(self.of(backend.id).tat_s, now_s=self._clock(), limit=limit, amount=n)

    def states(self) -> Mapping[str, tuple[str, int]]:
        """Backend id -> its breaker's state and its requests in flight."""
        now = self._clock()
        return {name: (health.breaker.state(now), health.in_flight) for name, health in self._backends.items()}

    def _ours(self, backend_ids: Iterable[str]) -> int:
        return sum(self._backends[name].in_flight for name in backend_ids if name in self._backends)

    def _fresh(self, backend_id: str) -> _Heard | None:
        """What was heard of a backend; what is too old is forgotten here."""
        heard = self._heard.get(backend_id)
        if heard is None or self._clock() - heard.at_s <= self._stale_after_s:
            return heard
        del self._heard[backend_id]
        self._overfull.discard(backend_id)
        return None

    def _has_fallen_silent(self, backend_id: str) -> bool:
        """Whether a server that told how busy it is does so no more: it hangs, and others need not wait to see it."""
        last_s = self._last_heard_s.get(backend_id)
        return last_s is not None and self._clock() - last_s > self._stale_after_s

    def _is_overfull(self, backend_id: str) -> bool:
        return backend_id in self._overfull and self._fresh(backend_id) is not None


def _telling(failure: UpstreamError) -> UpstreamError | Literal["answered", "abandoned"]:
    """What a failure says about its backend: a request that it refused was answered, and others say nothing."""
    if isinstance(failure, UpstreamStatusError) and failure.is_refusal:
        return "answered"
    if isinstance(failure, UpstreamTimeoutError) and failure.was_hurried:
        return "abandoned"
    return "abandoned" if isinstance(failure, UpstreamUnsupportedError | UpstreamNotAskedError) else failure


def _exceeds(load: ServerLoad, backend: Backend) -> bool:
    limits = backend.limits
    if limits.max_waiting is not None and load.waiting > limits.max_waiting:
        return True
    return limits.max_cache_use is not None and load.cache_use is not None and load.cache_use > limits.max_cache_use
