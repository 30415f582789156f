"""How the backends fare right now: breakers and requests in flight, by backend id."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from catalog import Backend, Pool
from gateway.errors import UpstreamError, UpstreamStatusError
from predictors import Load
from router import Bools

from .breaker import Breaker

__all__ = ["BackendHealth", "Health"]


@dataclass(slots=True)
class BackendHealth:
    """One backend."""

    breaker: Breaker = field(default_factory=Breaker)
    in_flight: int = 0


class Health:
    """All backends. Survives a reload of their profiles."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        """`clock` is monotonic, in seconds."""
        self._clock = clock
        self._backends: dict[str, BackendHealth] = {}
        self._troubled: set[str] = set()  # those with a breaker that is not closed
        self._limited: set[str] = set()  # those that reached their concurrency

    def of(self, backend_id: str) -> BackendHealth:
        """One backend's health."""
        return self._backends.setdefault(backend_id, BackendHealth())

    def begin(self, backend: Backend) -> bool:
        """Take a place at a backend, or learn that there is none."""
        health = self.of(backend.id)
        limit = backend.limits.max_concurrency
        if (limit is not None and health.in_flight >= limit) or not health.breaker.begin(self._clock()):
            return False
        health.in_flight += 1
        if limit is not None and health.in_flight >= limit:
            self._limited.add(backend.id)
        return True

    def end(self, backend: Backend, outcome: UpstreamError | Literal["answered", "abandoned"]) -> None:
        """Give the place back; a request that was abandoned tells nothing about the backend."""
        health = self.of(backend.id)
        health.in_flight -= 1
        self._limited.discard(backend.id)
        if isinstance(outcome, UpstreamStatusError) and outcome.is_about_the_request:
            outcome = "answered"
        if outcome == "answered":
            health.breaker.succeed()
            self._troubled.discard(backend.id)
        elif isinstance(outcome, UpstreamError):
            limited = isinstance(outcome, UpstreamStatusError) and outcome.status == 429
            rest_s = outcome.retry_after_s if isinstance(outcome, UpstreamStatusError) and limited else None
            health.breaker.fail(self._clock(), rest_s=rest_s)
            if health.breaker.open_until:
                self._troubled.add(backend.id)
        else:
            health.breaker.abandon()

    def admits(self, backend: Backend) -> bool:
        """Whether a place could be had."""
        health = self.of(backend.id)
        limit = backend.limits.max_concurrency
        return (limit is None or health.in_flight < limit) and health.breaker.admits(self._clock())

    def available(self, pool: Pool) -> Bools | None:
        """(n_candidates,) False where a backend must be left alone; None where all may be asked."""
        if not self._troubled and not self._limited:
            return None
        unwell = self._troubled | self._limited
        return np.array(
            [
                entry.backend is None or entry.backend.id not in unwell or self.admits(entry.backend)
                for entry in pool.entries
            ],
            dtype=np.bool_,
        )  # (n_candidates,)

    def load(self) -> Load:
        """How many requests of ours each backend is busy with."""
        running = {name: float(health.in_flight) for name, health in self._backends.items() if health.in_flight}
        return Load(running=running)

    def soonest_s(self, backends: Iterable[Backend]) -> float:
        """Seconds until the first of these may be asked again, at least a tenth."""
        now = self._clock()
        return max(0.1, min((self.of(b.id).breaker.open_until - now for b in backends), default=1.0))

    def states(self) -> Mapping[str, tuple[str, int]]:
        """Backend id -> its breaker's state and its requests in flight."""
        now = self._clock()
        return {name: (health.breaker.state(now), health.in_flight) for name, health in self._backends.items()}
