"""The rate limit's arithmetic: the generic cell rate algorithm, of which one number is all the state there is.

The number is the theoretical arrival time (tat): when the minute's worth will be whole again. Taking n of `limit` per
minute moves it by n minutes / limit, and it may lie at most one minute ahead. So at most `limit` can be taken at once
and at most `limit` per minute in the long run. `scripts.py` says the same in Lua.

Source: ITU-T Recommendation I.371 (2004), annex A; the virtual scheduling algorithm.
"""

from dataclasses import dataclass

__all__ = ["WINDOW_S", "Taken", "correct", "take"]

WINDOW_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The state after a take, or why there was none."""

    tat_s: float
    left: int
    retry_after_s: float | None  # None: granted, or waiting never helps since more is asked than a minute holds
    granted: bool


def take(tat_s: float, *, now_s: float, limit: int, amount: int) -> Taken:
    """Take an amount, or with 0 ask whether one is left."""
    interval_s = WINDOW_S / limit
    slack_s = min(interval_s / 2, 1e-3)  # rounding must not cost the last one
    start_s = max(tat_s, now_s)
    over_s = start_s + max(amount, 1) * interval_s - now_s - WINDOW_S
    if over_s > slack_s:
        helps = amount <= limit
        return Taken(
            tat_s=tat_s,
            left=_left(start_s, now_s, interval_s),
            retry_after_s=over_s if helps else None,
            granted=False,
        )
    after_s = start_s + amount * interval_s
    return Taken(tat_s=after_s, left=_left(after_s, now_s, interval_s), retry_after_s=None, granted=True)


def correct(tat_s: float, *, now_s: float, limit: int, amount: int) -> float:
    """The state once it turned out that `amount` more was taken; less, where it is negative."""
    return max(now_s, max(tat_s, now_s) + amount * WINDOW_S / limit)


def _left(tat_s: float, now_s: float, interval_s: float) -> int:
    return max(0, int((WINDOW_S - (tat_s - now_s)) / interval_s + 0.5 * min(1.0, 1e-3 / interval_s) + 1e-9))
