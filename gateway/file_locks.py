"""One at a time, also across processes: a lock that goes with its process, however that ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalog import make_private

__all__ = ["held"]


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Wait until nobody else holds the lock, then hold it for as long as this is open. Its empty file stays.

    Raises:
        OSError: the file cannot be made or locked.
    """
    make_private(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)  # others who may open it could hold it
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as exc:  # the file system knows no locks
            raise OSError(exc.errno, exc.strerror, str(path)) from exc
        yield
    finally:
        os.close(descriptor)
