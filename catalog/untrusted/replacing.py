"""Replace a file in one step, by one that was written aside; what killed processes had begun is cleared away."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["written_aside"]


@contextmanager
def written_aside(target: Path, content: bytes) -> Iterator[Path]:
    """A file beside the target with this content; deleted afterwards unless it was moved to its place.

    Its name has our process id, so that two at once do not write into one file, and the next to come can tell what
    nobody will finish.

    Raises:
        OSError: it cannot be written.
    """
    _clear_abandoned(target)
    aside = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        aside.write_bytes(content)
        yield aside
    finally:
        aside.unlink(missing_ok=True)


def _clear_abandoned(target: Path) -> None:
    begun = re.compile(rf"\.{re.escape(target.name)}\.([1-9]\d{{0,9}})\.new", re.ASCII)
    with suppress(OSError):  # whoever writes here will hear of it
        for path in target.parent.iterdir():
            if (named := begun.fullmatch(path.name)) and not _lives(int(named[1])):
                path.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        return True
    return True
