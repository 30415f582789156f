"""How much work something is, told by what it calls and not by a clock, which other work on the machine disturbs."""

import sys
from collections.abc import Callable
from types import FrameType

__all__ = ["calls_made"]


def calls_made(act: Callable[[], object]) -> int:
    """How often functions are called until it is done, those written in C included."""
    n_calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal n_calls
        n_calls += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(before)
    return n_calls
