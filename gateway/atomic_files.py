"""Atomic writes: a file is there as a whole or not at all, whatever happens while it is written."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalog import make_private

__all__ = ["clear_abandoned", "temporary_copy", "write_atomically"]

_SUFFIX = ".paretogate-part"  # not .part: keys may lie in a folder that others use, too
_ABANDONED_AFTER_S = 3_600.0  # nothing takes so long to write: whoever began it was killed


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file: a reader sees the old one or the new one, never a part. For its owner alone.

    Raises:
        OSError: it cannot be written; then nothing has changed.
    """
    with temporary_copy(path, content) as temporary:
        temporary.replace(path)


@contextmanager
def temporary_copy(path: Path, content: bytes) -> Iterator[Path]:
    """A synced temporary file with this content beside `path`, deleted afterwards unless it was renamed to `path`.

    Those that a killed process left behind are cleared away.

    Raises:
        OSError: it cannot be written.
    """
    make_private(path.parent)
    clear_abandoned(path.parent, f"*{_SUFFIX}")
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=_SUFFIX)
    temporary = Path(name)
    try:
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as exc:
            exc.filename = str(path)  # which is not told of what is open already
            raise
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def clear_abandoned(folder: Path, pattern: str) -> None:
    """Delete temporary files and folders of such names that killed processes left behind."""
    for left in folder.glob(pattern):
        try:
            if time.time() - left.stat().st_mtime <= _ABANDONED_AFTER_S:
                continue
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()
        except OSError:
            continue  # somebody else did, or may
