"""The folder in which several workers count together: made at the start, and never left behind for long."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["metrics_folder"]

_PREFIX = "paretogate-metrics-"
_LOCKED_WITHIN_S = 60.0  # from its making, however busy the machine is


@contextmanager
def metrics_folder() -> Iterator[Path]:
    """A new one, locked for as long as this process lives; those that killed processes left are cleared away."""
    _clear(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        held = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(held)


def _clear(place: Path) -> None:
    for left in place.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # somebody else's, or in use
            if time.time() - left.stat().st_mtime < _LOCKED_WITHIN_S:
                continue
            held = os.open(left, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(held)
