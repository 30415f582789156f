"""Reads files, and nothing else that may stand where a file is looked for.

A pipe would keep its reader waiting for whoever writes to it, and a device may have no end. What a shell hands over
itself, by `<(command)` or as standard input, is read like a file: somebody writes to it.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Final

__all__ = ["check_file", "read_file", "read_text"]

_MOST_BYTES: Final = 4 << 30  # of a file: the vectors of a million tools take a quarter of it
_NO_FILE: Final = "Is no regular file"
_HANDED_OVER: Final = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")


def read_file(path: Path, *, most_bytes: int = _MOST_BYTES) -> bytes:
    """The content of a regular file, or of what a shell hands over.

    Raises:
        OSError: it cannot be read, is something else than a file, or is longer.
    """
    is_handed_over = str(path).startswith(_HANDED_OVER)
    with open(path, "rb", opener=None if is_handed_over else _without_waiting) as file:
        facts = os.fstat(file.fileno())
        if not (is_handed_over or stat.S_ISREG(facts.st_mode)):
            raise OSError(errno.EINVAL, _NO_FILE, str(path))
        content = file.read(most_bytes + 1) if facts.st_size <= most_bytes else None
    if content is None or len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"Has more than {most_bytes:,} bytes", str(path))
    return content


def read_text(path: Path) -> str:
    """The text of a regular file in UTF-8, without the mark that some editors begin it with.

    Raises:
        OSError: as `read_file`.
        UnicodeDecodeError: it is no UTF-8.
    """
    return read_file(path).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")


def check_file(path: Path) -> None:
    """For files that a library reads.

    Raises:
        OSError: there is none, or it is no regular file.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, _NO_FILE, str(path))


def _without_waiting(path: str, flags: int) -> int:
    """An opener: of a pipe that nobody writes to, opening would wait."""
    return os.open(path, flags | os.O_NONBLOCK)
