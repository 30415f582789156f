"""Several workers behind one door: they end with the process that started them, and none is begun again in vain."""

import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from typing import Any, Final, cast

import structlog
import typer
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from catalog import ParetoGateError

from .listening import server_config
from .stopping import PatientServer

__all__ = ["WorkersFailedError", "run_workers"]

_INTERRUPT: Final = {signal.SIGINT}
_TOLD_TO_STOP: Final = frozenset({signal.SIGINT, signal.SIGTERM})
_LONGEST_START_S: Final = 120.0  # of a worker on a busy machine; then it hangs
_YOUNG_S: Final = 60.0
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0

log = structlog.get_logger(__name__)


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
        WorkersFailedError: one of the first says that it could not start, or all of them died before they served.
    """
    supervisor = _Supervisor(partial(_worker, build, orphaned), doors, workers=workers)
    # A terminal interrupts all of us at once. Workers inherit that they do not hear of it before they can mind it, or
    # each would end amid its imports with a traceback. Python's tracker would undo that where it is not running yet.
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPT)
    try:
        supervisor.run()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPT)
    if supervisor.could_not_start:
        raise WorkersFailedError


class _Worker(Process):
    """One whose server takes in who stands before the door when it is told to stop."""

    @property
    def server(self) -> PatientServer:
        """Made in the worker itself."""
        if self._server is None:
            self._server = PatientServer(config=self.config)
        return cast("PatientServer", self._server)


class _Supervisor(Multiprocess):
    """Uvicorn's: whoever dies is replaced, once anybody has served; where all of the first die before, that is the end.

    It also is where one of the first says that he could not start. Of those that replace another, none says so: what
    hinders them, such as a damaged file, hinders the others not, which go on answering meanwhile. Whoever dies young,
    time after time, is replaced less and less often.
    """

    def __init__(self, worker: Callable[..., Any], doors: list[socket.socket], *, workers: int) -> None:
        first, self._later = (
            server_config(partial(worker, is_first=is_first), factory=True, workers=workers)
            for is_first in (True, False)
        )
        super().__init__(first, sockets=doors)
        self.could_not_start = self._has_served = False
        self._lives: dict[Process, _Life] = {}

    def init_processes(self) -> None:
        for _ in range(self.processes_num):
            process = _Worker(self.config, self.sockets)
            process.start()
            self.processes.append(process)
        self.config = self._later

    def terminate_all(self) -> None:
        """The last worker to stop shuts the door: while it stood open here, clients would queue for nobody."""
        for door in self.sockets:
            door.close()
        super().terminate_all()

    def handle_signals(self) -> None:
        _hear_interrupts()
        super().handle_signals()

    def restart_all(self) -> None:
        """Replace one after the other, each once the new one serves, which on a busy machine takes its time."""
        for index, old in enumerate(self.processes):
            new = _Worker(self.config, self.sockets)
            new.start()
            life = _Life(began_s=time.monotonic())
            if not self._comes_to_serve(new, life):
                new.kill()
                new.join()
                if not self._is_told_to_stop():
                    log.error("worker_not_replaced", pid=old.pid, why="the new one does not serve")
                return
            old.terminate()
            old.join()
            self.processes[index], self._lives[new] = new, life

    def _comes_to_serve(self, new: Process, life: "_Life") -> bool:
        while time.monotonic() < life.began_s + _LONGEST_START_S and new.process.is_alive():
            if life.look(new):
                return True
            if self._is_told_to_stop():
                return False
            time.sleep(0.1)
        return False

    def _is_told_to_stop(self) -> bool:
        _hear_interrupts()
        return not _TOLD_TO_STOP.isdisjoint(self.signal_queue)

    def keep_subprocess_alive(self) -> None:
        """Replace who has died or hangs; those that are still starting are not asked whether they hang."""
        earlier, now_s = self._lives, time.monotonic()
        self._lives = {process: earlier.get(process) or _Life(began_s=now_s) for process in self.processes}
        for index, process in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            life = self._lives[process]
            if life.ended_s is None and not self._has_ended(process, life):
                continue
            if life.ended_s is None:
                self._mind_end(process, life)
            elif self._has_served and time.monotonic() >= life.ended_s + life.pause_s:
                self._replace(index, life)

    def _has_ended(self, process: Process, life: "_Life") -> bool:
        if not process.process.is_alive():
            return True
        if not life.has_served:
            self._has_served |= life.look(process)
            return time.monotonic() > life.began_s + _LONGEST_START_S
        return not process.ping(self.config.timeout_worker_healthcheck)

    def _mind_end(self, process: Process, life: "_Life") -> None:
        hung = process.process.is_alive()
        process.kill()
        process.join()
        life.end(time.monotonic())
        all_ended = all(one.ended_s is not None for one in self._lives.values())
        self.could_not_start = process.exitcode == STARTUP_FAILURE or (all_ended and not self._has_served)
        if self.could_not_start:
            self.should_exit.set()
        log.error(
            "worker_died",
            pid=process.pid,
            why="it hung" if hung else _why(process.exitcode),
            again_after_s=None if self.could_not_start else life.pause_s,
        )

    def _replace(self, index: int, life: "_Life") -> None:
        new = _Worker(self.config, self.sockets)
        new.start()
        self.processes[index] = new
        self._lives[new] = _Life(began_s=time.monotonic(), died_young=life.died_young)


def _hear_interrupts() -> None:
    """Let one that waits be told now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPT)
    signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPT)


@dataclass(slots=True)
class _Life:
    """What is known of one worker; times are those of `time.monotonic`."""

    began_s: float
    died_young: int = 0  # how many in its place did so, one after the other
    has_served: bool = False
    ended_s: float | None = None
    _was_asked: bool = False

    def look(self, process: Process) -> bool:
        """Whether it serves by now, without waiting for it."""
        with suppress(OSError, EOFError):
            if not self._was_asked:
                process.parent_conn.send(b"ping")
                self._was_asked = True
            elif process.parent_conn.poll():
                self.has_served, self._was_asked = process.parent_conn.recv(), False
        return self.has_served

    def end(self, at_s: float) -> None:
        self.ended_s = at_s
        self.died_young = self.died_young + 1 if at_s < self.began_s + _YOUNG_S else 0

    @property
    def pause_s(self) -> float:
        """Until another takes its place."""
        return min(_FIRST_PAUSE_S * 2.0 ** (self.died_young - 1), _LONGEST_PAUSE_S) if self.died_young else 0.0


def _why(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"it ended with {exit_code}"
    name = signal.Signals(-exit_code).name
    return f"{name}; the system sends it where memory is short" if -exit_code == signal.SIGKILL else name


def _worker(build: Callable[[], Any], orphaned: Callable[[], None], *, is_first: bool) -> Any:  # noqa: ANN401 - an ASGI application
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPT)  # the server has begun to mind it
    threading.Thread(target=_end_with_parent, args=(orphaned,), name="parent", daemon=True).start()
    try:
        return build()
    except ParetoGateError as exc:
        typer.echo(f"error: {exc}", err=True)
        sys.exit(STARTUP_FAILURE if is_first else 1)
    except OSError:
        if (parent := multiprocessing.parent_process()) is None or parent.is_alive():
            raise
        sys.exit(1)  # it was killed, and what it held for all of us was cleared away by the first to notice


def _end_with_parent(orphaned: Callable[[], None]) -> None:
    """Finish the requests and go, where the parent was killed: the port would be held by processes nobody minds."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        orphaned()
        os.kill(os.getpid(), signal.SIGTERM)
