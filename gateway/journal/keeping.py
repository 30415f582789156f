"""The process that moves this worker's spool into the store: started, listened to, and started again should it die."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, cast

import orjson
import structlog

__all__ = ["KeeperProcess"]

log = structlog.get_logger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0  # before it is started again
_IN_ORDER = (0, 1)  # it has finished; at 1, lines wait in the spool for the next start
_PATIENCE_S = 30.0  # with its last work; after that it goes on without us


class KeeperProcess:
    """`gateway.journal_store` in a process of its own, minded by a thread. Give it back by `finish`."""

    def __init__(self, told: Mapping[str, object], *, lock_fd: int, hear: Callable[[Mapping[str, Any]], None]) -> None:
        """`told` is what its `main` reads; it shares the lock of the spool; `hear` gets what it says, in the thread."""
        self._told, self._lock_fd, self._hear = f"{json.dumps(told)}\n".encode(), os.dup(lock_fd), hear
        self.restarts = 0
        self._mutex, self._closing = threading.Lock(), threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._mind, name="journal", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Its process id, which changes when it had to be started again; None before it first runs."""
        return self._process.pid if self._process is not None else None

    def hold(self, lock_fd: int) -> None:
        """The spool has got another lock: the process ends, and the next one has it. Said in the minding thread."""
        os.close(self._lock_fd)
        self._lock_fd = os.dup(lock_fd)
        if self._process is not None:
            self._process.kill()  # it goes on where it was, as after any death

    def finish(self) -> None:
        """The worker writes no more: let it move the rest, and wait until it has."""
        with self._mutex:
            self._closing.set()
            self._say_the_end()
        self._thread.join(_PATIENCE_S)
        if self._thread.is_alive():
            log.warning("journal_keeper_left_at_work", pid=self.pid)
        os.close(self._lock_fd)

    def _mind(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            code = self._run_once()
            if code in _IN_ORDER or (self._closing.is_set() and self.restarts):
                return
            self.restarts += 1
            log.warning("journal_keeper_died", code=code, restarts=self.restarts)
            self._closing.wait(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s)

    def _run_once(self) -> int | None:
        """Start it and listen until it ends; None where it could not be started."""
        try:
            process = self._spawn()
        except OSError as exc:
            self._hear({"failure": f"cannot be started: {exc.strerror or exc}"})
            return None
        with self._mutex:
            self._process = process
            if self._closing.is_set():
                self._say_the_end()
        with process:
            for line in process.stdout or ():
                self._hear(orjson.loads(line))
        return process.returncode

    def _spawn(self) -> subprocess.Popen[bytes]:
        # It shall find the very packages that we have found, however we were started.
        found_at = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "gateway.journal_store"],
            stdin=subprocess.PIPE,  # held open for as long as we live: its end says that we write no more
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": found_at},
            pass_fds=(self._lock_fd,),
            start_new_session=True,  # Ctrl-C goes to the worker
        )
        with contextlib.suppress(BrokenPipeError):  # it died at once, which its exit code tells
            os.write(cast("IO[bytes]", process.stdin).fileno(), self._told)
        return process

    def _say_the_end(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
