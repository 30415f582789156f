"""Idle polling: looking for the next event again and again for a while, instead of sleeping until it comes.

A core that sleeps has to be woken, and on a shared machine it lends its caches to others meanwhile: the next request
then takes three times as long as one that follows upon another (docs/speed.md). Whoever has a core to spare may keep it
awake, as Seastar does by its `--idle-poll-time-us`. Off unless asked for: it burns the core, and where a container's
CPU is rationed it burns the ration.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

__all__ = ["IdlePolling", "Loop"]


class Loop(Protocol):
    """What it needs of an event loop."""

    def time(self) -> float:
        """Seconds, of a clock that never goes back."""
        ...

    def call_soon(self, callback: Callable[["Loop"], None], argument: "Loop", /) -> object:
        """Call it in the next turn, before which the loop looks for events without waiting for any."""
        ...


class IdlePolling:
    """Of one event loop. Other threads have their turn between two looks, about half of the time all together."""

    def __init__(self, *, for_s: float, loop: Loop | None = None) -> None:
        """`for_s`: how long to go on after something has happened; 0: never. `loop`: the running one if left out."""
        self._for_s, self._loop = for_s, loop
        self._until = 0.0
        self._is_polling = False

    def stir(self) -> None:
        """Something has happened: more may follow soon."""
        if not self._for_s:
            return
        loop = self._loop or asyncio.get_running_loop()
        self._until = loop.time() + self._for_s
        if not self._is_polling:
            self._is_polling = True
            loop.call_soon(self._look, loop)

    def _look(self, loop: Loop) -> None:
        if loop.time() < self._until:
            loop.call_soon(self._look, loop)
        else:
            self._is_polling = False
