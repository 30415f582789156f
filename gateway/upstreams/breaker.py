"""When to leave a failing backend alone, and when to try it again.

closed --(failures in a row)--> open --(rest is over)--> half-open: one probe --(works)--> closed
                                  ^-------------------------------------------(fails)----'
"""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Breaker", "BreakerState"]

BreakerState = Literal["closed", "open", "half_open"]


@dataclass(slots=True, kw_only=True)
class Breaker:
    """The circuit breaker of one backend. Times are seconds of any monotonic clock, handed in."""

    failures_to_open: int = 5
    first_rest_s: float = 5.0
    longest_rest_s: float = 120.0
    failures: int = 0  # in a row
    rests: int = 0  # in a row, each twice as long as the one before
    open_until: float = 0.0
    probing: bool = False

    def state(self, now: float) -> BreakerState:
        """Closed lets everything through, open nothing, half-open one request."""
        if self.open_until == 0.0:
            return "closed"
        return "open" if now < self.open_until else "half_open"

    def admits(self, now: float) -> bool:
        """Whether a request may go to this backend now."""
        return self.open_until == 0.0 or (now >= self.open_until and not self.probing)

    def begin(self, now: float) -> bool:
        """Let a request through, or not; after a rest, the first one is the probe."""
        if not self.admits(now):
            return False
        if self.open_until != 0.0:
            self.probing = True
        return True

    def succeed(self) -> None:
        """The backend answered."""
        self.failures, self.rests, self.open_until, self.probing = 0, 0, 0.0, False

    def abandon(self) -> None:
        """The request ended without telling anything about the backend."""
        self.probing = False

    def fail(self, now: float, *, rest_s: float | None = None, at_once: bool = False) -> None:
        """The backend failed. `rest_s` is how long it asked to be left alone, which opens the breaker `at_once`.

        A rest that is already longer is never shortened. Of a breaker that was opened before, only the probe's failure
        begins another rest: the requests that were under way when it opened tell nothing new.
        """
        self.failures += 1
        has_opened = self.open_until != 0.0 and not self.probing
        if rest_s is None and (has_opened or not (at_once or self.probing or self.failures >= self.failures_to_open)):
            return
        self.probing = False
        rest = min(self.longest_rest_s, self.first_rest_s * 2.0**self.rests if rest_s is None else rest_s)
        if not has_opened:
            self.rests = min(self.rests + 1, 16)
        self.open_until = max(self.open_until, now + rest)
