"""Files that are there as a whole or not at all, whatever happens while they are written."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["drafted", "write_whole"]

_SUFFIX = ".part"
_ABANDONED_AFTER_S = 3_600.0  # nothing takes so long to write: whoever began it was killed


def write_whole(path: Path, content: bytes) -> None:
    """Replace the file: a reader sees the old one or the new one, never a part. For its owner alone.

    Raises:
        OSError: it cannot be written; then nothing has changed.
    """
    with drafted(path, content) as draft:
        draft.replace(path)


@contextmanager
def drafted(path: Path, content: bytes) -> Iterator[Path]:
    """The content on the disk, beside the place where it is to be, and gone afterwards unless it was moved there.

    Drafts that somebody left behind who was killed are cleared away.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear(path.parent)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=_SUFFIX)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _clear(folder: Path) -> None:
    for left in folder.glob(f"*{_SUFFIX}"):
        try:
            if time.time() - left.stat().st_mtime > _ABANDONED_AFTER_S:
                left.unlink()
        except OSError:
            continue  # somebody else did, or may
