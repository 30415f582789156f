"""What one worker learned from the journal of all replicas, brought to each of them by the Redis that keeps it.

Files travel as they are, named by their place in the state directory and told apart by the time they were written: a
replica takes what is newer than its own, and writes it with that time. Redis names files, so only such as refinement
writes are taken, and none that would fill the memory of whoever reads it.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import structlog

from gateway.atomic_files import write_atomically
from gateway.journal.asking import JournalRedis
from gateway.settings import Settings
from predictors.parcel import unpacked_bytes

__all__ = ["SharedFindings"]

log = structlog.get_logger(__name__)

_MOST_DIGITS = 19  # of nanoseconds that fit a file's time
_FURTHEST_NS = 3_600 * 10**9  # in the future, as in `state.file`: what lies beyond comes from a clock that was wrong
_MOST_BYTES = 64 << 20  # of a file
_MOST_UNPACKED_BYTES = 4 * _MOST_BYTES
_NAME = re.compile(r"measured\.json|tools/usage/[A-Za-z0-9][A-Za-z0-9._-]{0,63}/[0-9]{1,9}\.npz")

# KEYS: files, times. ARGV: name, content, time
_PUBLISH = """
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
"""


class SharedFindings:
    """Used by one thread at a time. Every method may raise `JournalUnavailableError`, and may then be called again."""

    def __init__(
        self, settings: Settings, *, timeout_s: float = 5.0, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        """Connects when it is first asked. The journal of the settings is one in Redis; the clock is the wall's."""
        self._redis, self._folder = JournalRedis(settings, timeout_s=timeout_s), settings.state_dir
        self._clock_ns = clock_ns

    def publish(self) -> int:
        """Tell replicas of every file that was written since; returns how many were told."""
        return self._redis.ask(self._publish)

    def fetch(self) -> int:
        """Write every file that is newer than ours; returns how many were."""
        return self._redis.ask(self._fetch)

    def close(self) -> None:
        """Let go of Redis."""
        self._redis.close()

    def _publish(self, client: Any) -> int:  # noqa: ANN401 - redis's own type
        keys = self._redis.keys
        known, told = client.hgetall(keys.learned_at), 0
        for name, path in self._files():
            written = str(path.stat().st_mtime_ns).encode()
            if known.get(name.encode()) == written:
                continue
            client.eval(_PUBLISH, 2, keys.learned, keys.learned_at, name, path.read_bytes(), written)
            told += 1
        return told

    def _fetch(self, client: Any) -> int:  # noqa: ANN401 - as above
        keys, taken, latest_ns = self._redis.keys, 0, self._clock_ns() + _FURTHEST_NS
        for field, written in client.hgetall(keys.learned_at).items():
            name, written_ns = field.decode(errors="replace"), _number(written)
            if not _NAME.fullmatch(name) or written_ns <= _written_ns(path := self._folder / name, latest_ns):
                continue
            if written_ns > latest_ns:
                reason = "it was written in a time to come; see the clock of whoever refines"
                log.warning("shared_findings_refused", file=name, reason=reason)
            elif client.hstrlen(keys.learned, name) > _MOST_BYTES:
                log.warning("shared_findings_refused", file=name, reason=f"more than {_MOST_BYTES:,} bytes")
            elif (content := client.hget(keys.learned, name)) is None:
                continue
            elif _is_bomb(name, content):
                log.warning("shared_findings_refused", file=name, reason="it unpacks to more than anybody learns")
            else:
                write_atomically(path, content)
                os.utime(path, ns=(written_ns, written_ns))
                taken += 1
        return taken

    def _files(self) -> Iterator[tuple[str, Path]]:
        """What there is to tell, by its name."""
        for path in (self._folder / "measured.json", *sorted((self._folder / "tools" / "usage").glob("*/*.npz"))):
            if path.is_file():
                yield path.relative_to(self._folder).as_posix(), path


def _written_ns(path: Path, latest_ns: int) -> int:
    """By a clock that was wrong, as old as anything: nothing newer would be taken until that time has come."""
    try:
        written_ns = path.stat().st_mtime_ns
    except FileNotFoundError:
        return -1
    return written_ns if written_ns <= latest_ns else -1


def _is_bomb(name: str, content: bytes) -> bool:
    """Whether it would fill the memory; what is merely damaged is told of by whoever reads it."""
    try:
        return name.endswith(".npz") and unpacked_bytes(content) > _MOST_UNPACKED_BYTES
    except ValueError:
        return False


def _number(written: bytes) -> int:
    """Nanoseconds since the epoch; what is none is as old as anything."""
    return int(written) if written.isdigit() and len(written) <= _MOST_DIGITS else -1
