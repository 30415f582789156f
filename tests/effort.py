"""How much work something is, told by what it calls and not by a clock, which other work on the machine disturbs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["calls_made", "counting_calls"]


@contextmanager
def counting_calls() -> Iterator[Callable[[], int]]:
    """How often functions have been called in this thread since, those written in C included."""
    n_calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal n_calls
        n_calls += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield lambda: n_calls
    finally:
        sys.setprofile(before)


def calls_made(act: Callable[[], object]) -> int:
    """How often functions are called in this thread until it is done."""
    with counting_calls() as so_far:
        act()
    return so_far()
