"""The process beside a worker: moves its spool into the store until the worker ends, then the rest, and ends too.

It is told what to do in a line of JSON on its standard input (everybody may read arguments, and an address may hold a
password), and tells of it in lines of JSON on its standard output. The end of its standard input says that the worker
writes no more, however that came about. Signals to stop are for the worker: what it still writes is still to be moved.
Exits with 0 when everything is in the store, else with 1: then the lines wait in the spool for the next start.
"""

import contextlib
import json
import os
import select
import signal
import sqlite3
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from .keeper import Keeper, Progress
from .sqlite import SqliteStore
from .store import Store, StoreFailedError

__all__ = ["main"]

_LONGEST_PAUSE_S = 5.0  # between attempts while the store is away
_NICENESS = 5  # whoever answers requests goes first
_FAILURES = (StoreFailedError, sqlite3.Error, OSError)


def main() -> int:
    """Run as described above."""
    for meant_for_the_worker in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(meant_for_the_worker, signal.SIG_IGN)
    told = json.loads(_first_line(sys.stdin.fileno()))
    os.nice(_NICENESS)
    keeper = Keeper(
        partial(_open_store, told["store"]),
        Path(told["folder"]),
        clock=time.time,
        keep_days=told["keep_days"],
        note=_note,
    )
    _work_until_the_end(keeper, every_s=told["every_s"])
    try:
        keeper.finish()
    except _FAILURES as exc:
        _tell(failure=_why(exc))
        return 1
    return 0


def _open_store(told: Mapping[str, Any]) -> Store:
    if "path" in told:
        return SqliteStore(Path(told["path"]), busy_timeout_s=told["timeout_s"])
    from .stream import StreamStore  # noqa: PLC0415 - it brings the client of Redis

    return StreamStore(**told)


def _first_line(fd: int) -> bytes:
    """Read byte by byte what is not to be buffered: whether there is more is asked of the descriptor itself."""
    line = b""
    while (byte := os.read(fd, 1)) not in (b"", b"\n"):
        line += byte
    return line


def _work_until_the_end(keeper: Keeper, *, every_s: float) -> None:
    pause_s, before = every_s, None
    while not select.select([sys.stdin], [], [], pause_s)[0]:
        try:
            progress = keeper.work()
        except _FAILURES as exc:
            _tell(failure=_why(exc), waiting=keeper.waiting)
            keeper.drop()
            pause_s = min(_LONGEST_PAUSE_S, 2 * max(pause_s, 0.05))
            continue
        pause_s = every_s
        if progress != before:
            _tell_progress(progress)
            before = progress


def _tell_progress(progress: Progress) -> None:
    _tell(segment=progress.segment, offset=progress.offset, waiting=progress.waiting)


def _why(exc: Exception) -> str:
    return str(exc) if isinstance(exc, StoreFailedError) else f"{type(exc).__name__}: {exc}"


def _note(event: str, **facts: object) -> None:
    _tell(event=event, facts=facts)


def _tell(**said: object) -> None:
    with contextlib.suppress(BrokenPipeError):  # the worker is gone; its lines are moved all the same
        os.write(sys.stdout.fileno(), orjson.dumps(said) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
