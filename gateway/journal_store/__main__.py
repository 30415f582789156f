"""The process beside a worker: moves its spool into the store until the worker ends, then the rest, and ends too.

It is told what to do in one argument of JSON, and tells of it in lines of JSON on its standard output. The end of its
standard input says that the worker writes no more, however that came about. Signals to stop are for the worker: what
it still writes is still to be moved. Exits with 0 when everything is in the store, else with 1: then the lines wait in
the spool for the next start.
"""

import contextlib
import os
import select
import signal
import sqlite3
import sys
import time
from pathlib import Path

import orjson

from .keeper import Keeper, Progress

__all__ = ["main"]

_LONGEST_PAUSE_S = 5.0  # between attempts while the store is away
_NICENESS = 5  # whoever answers requests goes first


def main(argument: str) -> int:
    """Run as described above."""
    told = orjson.loads(argument)
    for meant_for_the_worker in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(meant_for_the_worker, signal.SIG_IGN)
    os.nice(_NICENESS)
    keeper = Keeper(
        Path(told["path"]),
        Path(told["folder"]),
        clock=time.time,
        keep_days=told["keep_days"],
        busy_timeout_s=told["busy_timeout_s"],
        note=_note,
    )
    _work_until_the_end(keeper, every_s=told["every_s"])
    try:
        keeper.finish()
    except (sqlite3.Error, OSError) as exc:
        _tell(failure=f"{type(exc).__name__}: {exc}")
        return 1
    return 0


def _work_until_the_end(keeper: Keeper, *, every_s: float) -> None:
    pause_s, before = every_s, None
    while not select.select([sys.stdin], [], [], pause_s)[0]:
        try:
            progress = keeper.work()
        except (sqlite3.Error, OSError) as exc:
            keeper.drop()
            _tell(failure=f"{type(exc).__name__}: {exc}")
            pause_s = min(_LONGEST_PAUSE_S, 2 * max(pause_s, 0.05))
            continue
        pause_s = every_s
        if progress != before:
            _tell_progress(progress)
            before = progress


def _tell_progress(progress: Progress) -> None:
    _tell(segment=progress.segment, offset=progress.offset)


def _note(event: str, **facts: object) -> None:
    _tell(event=event, facts=facts)


def _tell(**said: object) -> None:
    with contextlib.suppress(BrokenPipeError):  # the worker is gone; its lines are moved all the same
        os.write(sys.stdout.fileno(), orjson.dumps(said) + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
