"""Who is asked next when a backend fails: down the decision's own ranking, then once more, within a budget."""

from collections.abc import Callable, Sequence

from tenacity import wait_random_exponential
from tenacity.wait import wait_base

from catalog import PoolEntry, record
from gateway.errors import (
    UpstreamError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnsupportedError,
    UpstreamUnusableError,
)
from gateway.pauses import pause_s

__all__ = ["AttemptPlan", "NextAttempt", "RetryBudget"]

MAX_ATTEMPTS = 5
_MAX_WAIT_S = 5.0
_BACKOFF = wait_random_exponential(multiplier=0.1, max=2.0)  # full jitter: anywhere up to 0.1 s, then up to 0.2 s ...


class RetryBudget:
    """Retries may add a tenth to the traffic, not multiply it: each request earns a tenth of a retry.

    Source: Google, Site Reliability Engineering, chapter 22, "per-client retry budget".
    """

    def __init__(self, *, share: float = 0.1, most: float = 10.0) -> None:
        self.share, self.most = share, most
        self._left = most

    def earn(self) -> None:
        """A request came in."""
        self._left = min(self.most, self._left + self.share)

    def spend(self) -> bool:
        """Take one retry, or learn that there is none left."""
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


@record
class NextAttempt:
    """Whom to ask, and how long to wait before."""

    entry: PoolEntry
    wait_s: float = 0.0


class AttemptPlan:
    """The attempts of one request. Another backend is asked at once; the same one only after a pause, on a budget."""

    def __init__(
        self,
        ranking: Sequence[PoolEntry],
        *,
        budget: RetryBudget,
        backoff: wait_base = _BACKOFF,
        max_attempts: int = MAX_ATTEMPTS,
    ) -> None:
        """`ranking` starts with the chosen one; `backoff` is any of tenacity's rules for how long to wait."""
        self._waiting = list(ranking[:max_attempts])
        self._tried: list[tuple[PoolEntry, UpstreamError]] = []
        self._budget, self._backoff, self._max_attempts = budget, backoff, max_attempts

    def first(self, begins: Callable[[PoolEntry], bool]) -> NextAttempt | None:
        """The first of the ranking that has a place."""
        while self._waiting:
            entry = self._waiting.pop(0)
            if begins(entry):
                return NextAttempt(entry=entry)
        return None

    def after(
        self, entry: PoolEntry, failure: UpstreamError, begins: Callable[[PoolEntry], bool], *, left_s: float
    ) -> NextAttempt | None:
        """What to do after a failure; None: nothing, the failure is the answer."""
        self._tried.append((entry, failure))
        if (isinstance(failure, UpstreamStatusError) and failure.is_about_the_request) or left_s <= 0:
            return None
        if len(self._tried) >= self._max_attempts:
            return None
        if (another := self.first(begins)) is not None:
            return another
        return self._again(left_s)

    def _again(self, left_s: float) -> NextAttempt | None:
        """The first of the ranking that may have failed by accident."""
        for entry, failure in self._tried:
            wait_s = self._pause_s(failure)
            if wait_s is not None and wait_s <= min(_MAX_WAIT_S, left_s):
                return NextAttempt(entry=entry, wait_s=wait_s) if self._budget.spend() else None
        return None

    def _pause_s(self, failure: UpstreamError) -> float | None:
        """What the backend asked for, else what the backoff says; None where waiting would not help."""
        if isinstance(failure, UpstreamTimeoutError | UpstreamUnusableError | UpstreamUnsupportedError):
            return None
        if isinstance(failure, UpstreamStatusError):
            if failure.is_refusal or failure.is_lasting:
                return None
            if failure.retry_after_s is not None:
                return failure.retry_after_s
        return pause_s(self._backoff, n_attempts=len(self._tried))
