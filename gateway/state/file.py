"""The state of several processes of one machine: limits and budgets are exact without a Redis.

Each holder's account is a small file that is locked while it is counted in: less than 0.1 ms, and only for keys that
have limits. What is on its way to the disk when power fails is lost, which a killed process does not lose.
Conversations stay in each process's own memory.
"""

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import orjson
import structlog

from catalog import make_private

from .memory import Account, MemoryState
from .protocol import Claim, Grant, Settlement, StateUnavailableError

__all__ = ["FileState", "begin_anew", "merged", "spent_in"]

log = structlog.get_logger(__name__)

_PATIENCE_S = 0.05  # for a lock that others hold for microseconds
_PATIENCE_AT_START_S = 5.0  # where no request waits
_PAUSE_S = 0.0001
_FURTHEST_S = 3_600.0  # in the future: what is said to lie beyond comes from a clock that was wrong
_MOST_BYTES = 1 << 20

Spent = dict[str, dict[str, int]]  # holder -> day or month -> billionths of a dollar


class FileState(MemoryState):
    """A `StateStore` in a folder that several processes share."""

    def __init__(self, folder: Path, *, clock: Callable[[], float]) -> None:
        """`clock` is in seconds and the same for all processes, also after a restart: the wall's."""
        super().__init__(clock=clock)
        self._folder = folder
        with suppress(OSError):  # whoever counts will hear of it
            make_private(folder)

    async def reserve(self, claim: Claim) -> Grant:
        """Take everything that is claimed, or nothing.

        Raises:
            StateUnavailableError: the file cannot be used.
        """
        if claim.quota.is_unlimited:
            return await super().reserve(claim)
        with self._held(claim.holder):
            return await super().reserve(claim)  # which waits for nothing

    async def settle(self, settlement: Settlement) -> None:
        """Correct what was claimed, give the place back, remember the conversation.

        Raises:
            StateUnavailableError: the file cannot be used.
        """
        if settlement.quota.is_unlimited:
            self.settle_now(settlement)
            return
        with self._held(settlement.holder):
            self.settle_now(settlement)

    @contextmanager
    def _held(self, holder: str) -> Iterator[None]:
        """Nobody else counts in this account meanwhile; what is counted is in the file afterwards."""
        known = self._accounts.get(holder, Account())
        try:
            with _locked(_path(self._folder, holder)) as fd:
                account = _read(fd, now_s=self._clock(), otherwise=known)
                self._accounts[holder] = account
                yield
                _write(fd, account, now_s=self._clock())
        except OSError as exc:
            self._accounts[holder] = known  # nothing was counted
            raise StateUnavailableError(f"{self._folder}: {exc.strerror or exc}") from exc


def begin_anew(folder: Path, earlier: Mapping[str, Mapping[str, int]]) -> None:
    """Before any process uses the folder: rates and places begin anew, and what was spent stays, here and elsewhere.

    Raises:
        OSError: it cannot be written.
    """
    make_private(folder)
    for holder, spent in merged(spent_in(folder), earlier).items():
        with _locked(_path(folder, holder), patience_s=_PATIENCE_AT_START_S) as fd:
            _write(fd, Account(spent_nano=dict(spent)), now_s=0.0)


def spent_in(folder: Path) -> Spent:
    """What every holder has spent."""
    found: Spent = {}
    for path in folder.glob("*.json"):
        with _locked(path, patience_s=_PATIENCE_AT_START_S) as fd:
            found[unquote(path.stem)] = _read(fd, now_s=0.0, otherwise=Account()).spent_nano
    return found


def merged(one: Mapping[str, Mapping[str, int]], other: Mapping[str, Mapping[str, int]]) -> Spent:
    """Of two accounts of the same spending the later one, which is the larger."""
    return {
        holder: {
            period: max(spent.get(holder, {}).get(period, 0) for spent in (one, other))
            for period in {*one.get(holder, {}), *other.get(holder, {})}
        }
        for holder in {*one, *other}
    }


def _path(folder: Path, holder: str) -> Path:
    return folder / f"{quote(holder, safe='')}.json"


@contextmanager
def _locked(path: Path, *, patience_s: float = _PATIENCE_S) -> Iterator[int]:
    """The file, made where it is missing, and nobody else's until it is closed."""
    fd = _open(path)
    try:
        until_s = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until_s:
                    raise
                time.sleep(_PAUSE_S)  # whoever holds it waits for nothing
        yield fd
    finally:
        os.close(fd)


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:  # somebody deleted the folder
        make_private(path.parent)
        return os.open(path, flags, 0o600)


def _read(fd: int, *, now_s: float, otherwise: Account) -> Account:
    """The account; what is known `otherwise` where there is none (any more), and, with a word, where it is damaged."""
    raw = os.pread(fd, _MOST_BYTES, 0)
    if not raw.strip():
        return _copy(otherwise)
    try:
        told = orjson.loads(raw)
        gone_back_s = max(0.0, float(told.get("at_s", 0.0)) - now_s)  # the clock was set meanwhile: no time has passed

        def moved(at_s: float) -> float:
            return min(float(at_s) - gone_back_s, now_s + _FURTHEST_S)

        return Account(
            tat_s={name: moved(at_s) for name, at_s in told["tat_s"].items()},
            leases={name: moved(at_s) for name, at_s in told["leases"].items()},
            spent_nano={str(period): int(nano) for period, nano in told["spent_nano"].items()},
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as exc:
        log.error("spending_unreadable", kind=type(exc).__name__)  # noqa: TRY400 - it says enough
        return _copy(otherwise)


def _copy(account: Account) -> Account:
    return Account(tat_s=dict(account.tat_s), leases=dict(account.leases), spent_nano=dict(account.spent_nano))


def _write(fd: int, account: Account, *, now_s: float) -> None:
    """At once, so that a process that is killed leaves the old account or the new one."""
    told: dict[str, Any] = {
        "at_s": now_s,
        "tat_s": account.tat_s,
        "leases": account.leases,
        "spent_nano": account.spent_nano,
    }
    before = os.pread(fd, _MOST_BYTES, 0)
    raw = orjson.dumps(told).ljust(len(before))
    if (written := os.pwrite(fd, raw, 0)) != len(raw):  # the disk became full half-way: half an account is none
        os.pwrite(fd, before[:written], 0)
        os.ftruncate(fd, len(before))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
