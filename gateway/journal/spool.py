"""The part of the journal that survives `kill -9`: lines appended to segment files, one `write(2)` each.

What the kernel has accepted outlives the process, though not a power failure. Where the files lie, and who moves them
into the store, is told in `gateway.journal_store`.
"""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

from catalog import make_private
from gateway.journal_store import make_folder, segment_path

from .errors import JournalFullError

__all__ = ["Restored", "Spool"]


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of a spool that somebody deleted."""

    lock_fd: int  # of the folder that is there now
    lost_bytes: int  # of finished segments, at most: part of them may have been in the store


class Spool:
    """Appends lines, durably against SIGKILL. Bounded: past `max_bytes` on disk it refuses."""

    def __init__(self, root: Path, *, segment_bytes: int = 8 << 20, max_bytes: int = 512 << 20) -> None:
        self.segment_bytes, self.max_bytes = segment_bytes, max_bytes
        self._root = root
        make_private(root)
        self.folder, self.lock_fd = make_folder(root)
        self._mutex = threading.Lock()
        self._starts: dict[int, int] = {}  # bytes written before each segment that is still there
        self._written = self._stored = self._deleted = 0  # bytes; deleted are whole segments
        self._number, self._size, self._fd = 0, 0, -1
        self._open_next()

    @property
    def held_bytes(self) -> int:
        """Bytes on disk, moved into the store or not."""
        return self._written - self._deleted

    @property
    def pending_bytes(self) -> int:
        """Bytes that are not known to be in the store."""
        return self._written - self._stored

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

    def moved(self, *, segment: int, offset: int) -> None:
        """Everything up to here is in the store, and the segments before are deleted."""
        with self._mutex:
            for number in [number for number in self._starts if number < segment]:
                del self._starts[number]
            self._note_deleted()
            self._stored = self._starts[segment] + offset

    def restore(self) -> Restored | None:
        """Put back what somebody deleted amid it; None where everything is in its place.

        The segment that is being written is still there for whoever has it open. It gets its name again, with every
        byte where it was: the store knows by that what it has.

        Raises:
            OSError: it cannot be put back now.
        """
        with self._mutex:
            path = segment_path(self.folder, self._number)
            if self._fd < 0 or path.exists():
                return None
            make_private(self._root)
            if not self.folder.exists():
                _, lock_fd = make_folder(self._root, name=self.folder.name)
                os.close(self.lock_fd)
                self.lock_fd = lock_fd
            self._put_back(path)
            return Restored(self.lock_fd, self._forget_deleted())

    def close(self) -> None:
        """Stop writing; whoever else holds the lock answers for the lines."""
        with self._mutex:
            os.close(self._fd)
            os.close(self.lock_fd)
            self._fd = -1

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._fd, line)
        except OSError as exc:
            raise JournalFullError(folder=str(self.folder), problem=exc.strerror or str(exc)) from exc
        if written != len(line):  # the disk became full half-way: leave no torn line for the next one to run into
            os.ftruncate(self._fd, self._size)
            raise JournalFullError(folder=str(self.folder), problem="no space left on the disk")
        self._size += written
        self._written += written

    def _put_back(self, path: Path) -> None:
        unfinished = path.with_suffix(".new")  # whoever moves lines takes no half of them for all
        unfinished.unlink(missing_ok=True)
        fd = _open_new(unfinished)
        try:
            _write_all(fd, os.pread(self._fd, self._size, 0))
            unfinished.rename(path)
        except OSError:
            os.close(fd)
            raise
        os.close(self._fd)
        self._fd = fd

    def _forget_deleted(self) -> int:
        """Of the finished segments that are gone: how much of them is not known to be in the store."""
        gone = [n for n in self._starts if not segment_path(self.folder, n).exists()]
        ends = dict(zip(self._starts, (*list(self._starts.values())[1:], self._written), strict=True))
        lost = sum(max(0, ends[n] - max(self._starts[n], self._stored)) for n in gone)
        for n in gone:
            del self._starts[n]
        self._note_deleted()
        return lost

    def _note_deleted(self) -> None:
        self._deleted = next(iter(self._starts.values()))

    def _open_next(self) -> None:
        path = segment_path(self.folder, self._number + 1)
        try:
            fd = _open_new(path)
        except OSError as exc:
            raise JournalFullError(folder=str(self.folder), problem=exc.strerror or str(exc)) from exc
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._size, self._number = fd, 0, self._number + 1
        self._starts[self._number] = self._written


def _open_new(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _write_all(fd: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]
