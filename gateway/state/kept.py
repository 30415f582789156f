"""The state of a single process whose spending outlives it: a restart forgives no budget.

Only dollars are kept, by key, day and month. Rates and places are of the minute, and conversations of the quarter of an
hour: they begin anew. The file is a second behind at most, and written as a whole.
"""

import asyncio
import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import orjson
import structlog

from catalog import make_private, read_file
from gateway.atomic_files import write_atomically

from .file import Spent, begin_anew, merged
from .memory import MemoryState

__all__ = ["KeptState", "counting_in", "read_spent"]

log = structlog.get_logger(__name__)

_EVERY_S = 1.0
_EACH_FOR_ITSELF = "each counts limits and budgets for itself, and a restart may forget what one of them has spent"
_TOGETHER = f"where both have several workers they count limits and budgets together; else {_EACH_FOR_ITSELF}"


class KeptState(MemoryState):
    """A `StateStore` in memory, with a file for what was spent. One process at a time may use the file.

    A second one is let in, since most gateways have no budgets to keep; it says what that means.
    """

    def __init__(
        self, path: Path, *, clock: Callable[[], float], every_s: float = _EVERY_S, elsewhere: Spent | None = None
    ) -> None:
        """`clock` is as for `MemoryState`; `keep` looks every `every_s` whether anything is to be written.

        `elsewhere` is what others counted before, such as several workers in files of their own.
        """
        super().__init__(clock=clock)
        self._path, self._every_s = path, every_s
        self._spent, self._is_behind = merged(read_spent(path), elsewhere or {}), False  # what the file shall say
        self._mutex = threading.Lock()
        self._claim = _claimed(path, means=_EACH_FOR_ITSELF)
        self.restore(self._spent)

    async def keep(self) -> None:
        """Write the file as money is spent, until this is cancelled; what the disk refuses, once it takes it again."""
        is_told = False
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self._write()
            except OSError as exc:
                if not is_told:
                    log.error("spending_not_kept", reason=str(exc))  # noqa: TRY400 - it says enough
                is_told = True
            else:
                if is_told:
                    log.warning("spending_kept_again", file=str(self._path))
                is_told = False

    async def close(self) -> None:
        """Write the rest."""
        try:
            await self._write()
        except OSError as exc:
            log.error("spending_not_kept", reason=exc.strerror or str(exc))  # noqa: TRY400 - it says enough
        claim, self._claim = self._claim, None
        if claim is not None:
            os.close(claim)

    async def _write(self) -> None:
        if newly := self.newly_spent():
            self._spent.update(newly)
            self._is_behind = True
        if self._is_behind:
            await asyncio.to_thread(self._replace)
            self._is_behind = False

    def _replace(self) -> None:
        """The file, whole and for its owner alone; one at a time, since `keep` may be cancelled amid it."""
        with self._mutex:
            write_atomically(self._path, orjson.dumps(self._spent))


@contextmanager
def counting_in(folder: Path, spent: Path) -> Iterator[None]:
    """For as long as several processes count in a folder, by a `FileState` each: it begins anew with this.

    Not where another gateway counts there already, which is told: its rates and places would be forgotten.

    Args:
        folder: of the accounts.
        spent: the file in which a process that is alone keeps what was spent.

    Raises:
        OSError: it cannot be written.
    """
    claim = _claimed(spent, means=_TOGETHER)
    if claim is None:
        yield
        return
    try:
        begin_anew(folder, read_spent(spent))
        yield
    finally:
        os.close(claim)


def read_spent(path: Path) -> Spent:
    """What the file says; nothing where it is missing, and nothing, with a word, where it is damaged."""
    try:
        told = orjson.loads(read_file(path))
    except FileNotFoundError:
        return {}
    except (OSError, orjson.JSONDecodeError) as exc:
        log.error("spending_unreadable", file=str(path), kind=type(exc).__name__)  # noqa: TRY400 - it says enough
        return {}
    if not _is_spent(told):
        log.error("spending_unreadable", file=str(path), kind="not what was written")
        return {}
    return dict(told)


def _claimed(path: Path, *, means: str) -> int | None:
    """What says, for as long as it is open, that somebody uses the file; None, with a word, where another does."""
    try:
        make_private(path.parent)
        claim = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None  # whoever writes will hear of it
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(claim)
        log.warning(
            "state_used_by_another_gateway",
            folder=str(path.parent),
            means=means,
            remedy="give each a state.dir of its own, or all of them one state.url",
        )
        return None
    return claim


def _is_spent(told: object) -> bool:
    return isinstance(told, Mapping) and all(
        isinstance(periods, dict) and all(isinstance(nano, int) for nano in periods.values())
        for periods in told.values()
    )
