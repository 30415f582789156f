"""Several workers behind one door: they end with the process that started them, and none is begun again in vain."""

import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import typer
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from catalog import ParetoGateError

from .listening import server_config

__all__ = ["WorkersFailedError", "run_workers"]


class WorkersFailedError(ParetoGateError):
    """The workers could not start; each has told why."""

    def __init__(self) -> None:
        super().__init__("the workers could not start; the lines above say why")


def run_workers(
    build: Callable[[], Any], doors: list[socket.socket], *, workers: int, orphaned: Callable[[], None]
) -> None:
    """Serve in so many processes until told to stop.

    Args:
        build: makes the ASGI application, in each worker; it can be pickled.
        doors: the sockets to listen on.
        workers: how many.
        orphaned: run in each worker where this process was killed, to clear away what it would have; as `build`.

    Raises:
        WorkersFailedError: one of the first could not start.
    """
    supervisor = _Supervisor(partial(_worker, build, orphaned), doors, workers=workers)
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise WorkersFailedError


class _Supervisor(Multiprocess):
    """Uvicorn's: whoever dies is replaced, and nobody who says that he could not start.

    Of those that replace another, none says so: what hinders them, such as a damaged file, hinders the others not,
    which go on answering meanwhile.
    """

    def __init__(self, worker: Callable[..., Any], doors: list[socket.socket], *, workers: int) -> None:
        first, self._later = (
            server_config(partial(worker, is_first=is_first), factory=True, workers=workers)
            for is_first in (True, False)
        )
        super().__init__(first, sockets=doors)

    def init_processes(self) -> None:
        super().init_processes()
        self.config = self._later


def _worker(build: Callable[[], Any], orphaned: Callable[[], None], *, is_first: bool) -> Any:  # noqa: ANN401 - an ASGI application
    threading.Thread(target=_end_with_parent, args=(orphaned,), name="parent", daemon=True).start()
    try:
        return build()
    except ParetoGateError as exc:
        typer.echo(f"error: {exc}", err=True)
        sys.exit(STARTUP_FAILURE if is_first else 1)


def _end_with_parent(orphaned: Callable[[], None]) -> None:
    """Finish the requests and go, where the parent was killed: the port would be held by processes nobody minds."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        orphaned()
        os.kill(os.getpid(), signal.SIGTERM)
