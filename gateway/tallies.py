"""What every request counts, in plain numbers: the metrics library gets the sums when somebody is about to look.

It takes a lock for every number, and looks through a histogram's limits one by one: a fiftieth of a request's CPU.
"""

from bisect import bisect_left
from collections.abc import Sequence

from prometheus_client import Counter, Histogram

__all__ = ["Spread", "Sum"]


class Sum:
    """What a counter has yet to be told."""

    __slots__ = ("_counter", "_more")

    def __init__(self, counter: Counter) -> None:
        self._counter, self._more = counter, 0.0

    def inc(self, amount: float = 1.0) -> None:
        """Count so much more."""
        self._more += amount

    def pour(self) -> None:
        """Tell it."""
        if self._more:
            self._counter.inc(self._more)
            self._more = 0.0


class Spread:
    """What a histogram has yet to be told."""

    __slots__ = ("_bounds", "_histogram", "_more", "_total")

    def __init__(self, histogram: Histogram, bounds: Sequence[float]) -> None:
        """`bounds` are the upper ones of its buckets, rising; one more bucket has none."""
        self._histogram, self._bounds = histogram, tuple(bounds)
        self._more, self._total = [0] * (len(self._bounds) + 1), 0.0

    def observe(self, value: float) -> None:
        """Another value."""
        self._more[bisect_left(self._bounds, value)] += 1
        self._total += value

    def pour(self) -> None:
        """Tell it, by the parts that it consists of: in public it takes one value at a time."""
        if not any(self._more):
            return
        for bucket, more in zip(self._histogram._buckets, self._more, strict=True):  # noqa: SLF001 - see above
            if more:
                bucket.inc(more)
        self._histogram._sum.inc(self._total)  # noqa: SLF001 - see above
        self._more, self._total = [0] * len(self._more), 0.0
