"""How long to pause before something is tried again: tenacity's rules, asked for the time alone."""

from collections.abc import Callable
from typing import Any, Final

from tenacity import RetryCallState, wait_random_exponential
from tenacity.wait import wait_base

__all__ = ["Patience", "pause_s"]

_SHORTEST_S: Final = 1.0
_LONGEST_S: Final = 300.0
_EVER_LATER: Final = wait_random_exponential(multiplier=2, min=_SHORTEST_S, max=_LONGEST_S)


def pause_s(rule: wait_base, *, n_attempts: int) -> float:
    """What the rule says after so many attempts. It is shown as much of tenacity's state as it looks at."""
    nothing: Any = None
    state = RetryCallState(retry_object=nothing, fn=None, args=(), kwargs={})
    state.attempt_number = n_attempts
    return float(rule(state))


class Patience:
    """With what is away for the moment: it is asked for ever later, at random, and at least every five minutes."""

    def __init__(self, *, clock: Callable[[], float], rule: wait_base = _EVER_LATER) -> None:
        """`clock` is monotonic, in seconds; `rule` is any of tenacity's."""
        self._clock, self._rule = clock, rule
        self._failures, self._until_s = 0, 0.0

    @property
    def is_tried(self) -> bool:
        """Whether it was away when it was asked for last."""
        return self._failures > 0

    @property
    def is_waiting(self) -> bool:
        """Whether it was, and is not to be asked for yet."""
        return self.is_tried and self._clock() < self._until_s

    def failed(self) -> float:
        """It is away again; how many seconds to wait now."""
        self._failures += 1
        pause = pause_s(self._rule, n_attempts=self._failures)
        self._until_s = self._clock() + pause
        return pause

    def begin_anew(self) -> None:
        """It came, or something else is wanted."""
        self._failures = 0
