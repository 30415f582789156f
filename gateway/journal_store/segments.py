"""Where the spool's lines lie, and whose they are.

Every writer has a folder of its own. Its lock is held for as long as somebody answers for what is in it: the writer,
or the process that moves its lines into the store, whichever lives longer. What nobody holds was left behind. A folder
gets its name once its lock is held, or another's process could take one that is being made for left behind.

    spool/<writer>/lock
    spool/<writer>/00000001.jsonl     finished segments, oldest first
    spool/<writer>/00000002.jsonl     the one being appended to
"""

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

__all__ = [
    "LeftOver",
    "adopt_left_overs",
    "lock_file",
    "lock_folder",
    "make_folder",
    "remove_folder",
    "segment_path",
    "segments_in",
    "spool_beside",
]

_LOCK = "lock"
_UNFINISHED = ".new"  # ends the name of a folder that is being made
_ABANDONED_AFTER_S = 3_600.0  # as in `gateway.atomic_files`


class LeftOver:
    """What a writer that no longer lives has left behind; ours while this object is open."""

    def __init__(self, folder: Path, held: int) -> None:
        self.folder, self._held = folder, held

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._held)


def spool_beside(journal: Path) -> Path:
    """Where every writer of this journal has its folder."""
    return journal.parent / "spool"


def segment_path(folder: Path, number: int) -> Path:
    """The file of a segment; numbers start at 1."""
    return folder / f"{number:08d}.jsonl"


def segments_in(folder: Path) -> tuple[Path, ...]:
    """All segments, oldest first; while the writer lives, the last one may still grow."""
    return tuple(sorted(folder.glob("*.jsonl")))


def adopt_left_overs(root: Path) -> Iterator[LeftOver]:
    """Folders under `root` that nobody answers for, each locked by us while it is being used."""
    for folder in sorted(path for path in root.glob("*") if path.is_dir()):
        if folder.suffix == _UNFINISHED:
            _clear_abandoned(folder)
            continue
        try:
            held = lock_folder(folder)
        except (BlockingIOError, FileNotFoundError):
            continue  # somebody does, or has just finished with it
        with LeftOver(folder, held) as left_over:
            yield left_over


def make_folder(root: Path, *, name: str | None = None) -> tuple[Path, int]:
    """A folder for one writer, of a new name where none is said, and what holds its lock."""
    name = name or uuid.uuid4().hex
    unfinished = root / f"{name}{_UNFINISHED}"
    unfinished.mkdir(mode=0o700, exist_ok=True)
    held = lock_folder(unfinished)
    return unfinished.rename(root / name), held


def lock_folder(folder: Path) -> int:
    """`lock_file` of the folder's lock."""
    return lock_file(folder / _LOCK)


def lock_file(path: Path) -> int:
    """A descriptor that holds the lock until every copy of it is closed, in whatever process; the file is made.

    Raises:
        BlockingIOError: somebody else holds it.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise
    except OSError as exc:  # the file system knows no locks
        os.close(fd)
        raise OSError(exc.errno, exc.strerror, str(path)) from exc
    return fd


def remove_folder(folder: Path) -> None:
    """Delete everything; its lines are safe elsewhere."""
    for path in (*folder.glob("*.jsonl"), folder / _LOCK):
        path.unlink(missing_ok=True)
    with suppress(OSError):  # another found it without its lock and has just taken it over: it is empty
        folder.rmdir()


def _clear_abandoned(unfinished: Path) -> None:
    with suppress(OSError):  # it has its name by now
        if time.time() - unfinished.stat().st_mtime > _ABANDONED_AFTER_S:
            remove_folder(unfinished)
