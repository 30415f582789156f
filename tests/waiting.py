"""Waits for what a test awaits: for the condition itself, and for as long as the busiest machine may need."""

import asyncio
import time
from collections.abc import Callable

__all__ = ["AT_MOST_S", "until", "wait_until"]

AT_MOST_S = 120.0
_LOOK_EVERY_S = 0.01


async def until(holds: Callable[[], object]) -> None:
    """While the event loop goes on."""
    async with asyncio.timeout(AT_MOST_S):
        while not holds():  # noqa: ASYNC110 - what is awaited is seen from outside only
            await asyncio.sleep(_LOOK_EVERY_S)


def wait_until(holds: Callable[[], object]) -> None:
    """Where the event loop, if there is one, is that of another thread or process."""
    latest_s = time.monotonic() + AT_MOST_S
    while not holds():
        assert time.monotonic() < latest_s, "waited in vain"
        time.sleep(_LOOK_EVERY_S)
