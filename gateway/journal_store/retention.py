"""How long records are kept."""

from collections.abc import Callable

from .store import Store

__all__ = ["Retention"]

_PERIOD_S = 3600.0


class Retention:
    """Forgets what is too old, once an hour at most."""

    def __init__(self, keep_days: float | None, *, clock: Callable[[], float], note: Callable[..., None]) -> None:
        """`clock` is in seconds since the epoch; None keeps everything; `note` is told what went."""
        self._keep_days, self._clock, self._note = keep_days, clock, note
        self._last_s = -_PERIOD_S

    def apply(self, store: Store) -> None:
        """May raise what the store may."""
        now = self._clock()
        if self._keep_days is None or now - self._last_s < _PERIOD_S:
            return
        gone = store.forget_before(now - 86_400 * self._keep_days)
        self._last_s = now
        if gone:
            self._note("journal_retention_applied", decisions=gone)
