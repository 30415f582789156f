"""The part of the journal that survives `kill -9`: lines appended to segment files, one `write(2)` each.

What the kernel has accepted outlives the process, though not a power failure. Every writer has a folder of its own
and holds a lock on it while it lives, so that a later process can tell what was left behind and adopt it:

    spool/<writer>/lock
    spool/<writer>/00000001.jsonl     finished segments, oldest first
    spool/<writer>/00000002.jsonl     the one being appended to
"""

import fcntl
import os
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from .errors import JournalFullError

__all__ = ["LeftOver", "Spool", "adopt_left_overs"]

_LOCK = "lock"


class Spool:
    """Appends lines, durably against SIGKILL. Bounded: past `max_bytes` on disk it refuses."""

    def __init__(self, root: Path, *, segment_bytes: int = 8 << 20, max_bytes: int = 512 << 20) -> None:
        self.folder = root / uuid.uuid4().hex
        self.segment_bytes, self.max_bytes = segment_bytes, max_bytes
        self.folder.mkdir(parents=True, mode=0o700)
        self._held = _lock(self.folder)
        self._mutex = threading.Lock()
        self._number, self._size, self._finished_bytes, self._fd = 0, 0, 0, -1
        self._open_next()

    @property
    def current(self) -> Path:
        """The segment being appended to."""
        return self._segment(self._number)

    @property
    def held_bytes(self) -> int:
        """Bytes on disk, moved into the store or not."""
        return self._finished_bytes + self._size

    def append(self, line: bytes) -> None:
        """Keep a line, which ends in a newline and has no other.

        Raises:
            JournalFullError: the disk or the spool is full; nothing of the line remains.
        """
        with self._mutex:
            if self.held_bytes + len(line) > self.max_bytes:
                raise JournalFullError(folder=str(self.folder), problem=f"it holds {self.held_bytes} bytes already")
            if self._size and self._size + len(line) > self.segment_bytes:
                self._open_next()
            self._write(line)

    def segments(self) -> tuple[Path, ...]:
        """All segments, oldest first; the last one may still grow."""
        return tuple(sorted(self.folder.glob("*.jsonl")))

    def discard(self, segment: Path) -> None:
        """Delete a finished segment whose lines are safe elsewhere."""
        if segment == self.current:
            raise ValueError(f"{segment.name} is still being written")
        size = segment.stat().st_size
        segment.unlink()
        with self._mutex:
            self._finished_bytes -= size

    def close(self, *, delete: bool) -> None:
        """Stop writing; `delete` says that every line is safe elsewhere."""
        with self._mutex:
            os.close(self._fd)
            if delete:
                _remove(self.folder)
            os.close(self._held)

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._fd, line)
        except OSError as exc:
            raise JournalFullError(folder=str(self.folder), problem=exc.strerror or str(exc)) from exc
        if written != len(line):  # the disk became full half-way: leave no torn line for the next one to run into
            os.ftruncate(self._fd, self._size)
            raise JournalFullError(folder=str(self.folder), problem="no space left on the disk")
        self._size += written

    def _open_next(self) -> None:
        path = self._segment(self._number + 1)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise JournalFullError(folder=str(self.folder), problem=exc.strerror or str(exc)) from exc
        if self._fd >= 0:
            os.close(self._fd)
        self._finished_bytes += self._size
        self._fd, self._size, self._number = fd, 0, self._number + 1

    def _segment(self, number: int) -> Path:
        return self.folder / f"{number:08d}.jsonl"


class LeftOver:
    """What a writer that no longer lives has left behind; ours while this object is open."""

    def __init__(self, folder: Path, held: int) -> None:
        self.folder, self._held = folder, held

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._held)

    def segments(self) -> tuple[Path, ...]:
        """Its segments, oldest first."""
        return tuple(sorted(self.folder.glob("*.jsonl")))

    def discard(self) -> None:
        """Delete everything; its lines are safe elsewhere."""
        _remove(self.folder)


def adopt_left_overs(root: Path) -> Iterator[LeftOver]:
    """Folders under `root` whose writers are gone, each locked by us while it is being used."""
    for folder in sorted(path for path in root.glob("*") if path.is_dir()):
        try:
            held = _lock(folder)
        except (BlockingIOError, FileNotFoundError):
            continue  # its writer lives, or another process has just finished with it
        with LeftOver(folder, held) as left_over:
            yield left_over


def _lock(folder: Path) -> int:
    fd = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise
    return fd


def _remove(folder: Path) -> None:
    for path in (*folder.glob("*.jsonl"), folder / _LOCK):
        path.unlink(missing_ok=True)
    folder.rmdir()
