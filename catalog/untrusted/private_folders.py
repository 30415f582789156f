"""Folders for their owner alone: whoever may write into a folder may replace every file in it, keys among them."""

from pathlib import Path

__all__ = ["make_private"]


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, whatever the umask; one that is there stays as it is.

    Raises:
        OSError: it cannot be made, or is something else.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileNotFoundError:
        if folder.parent == folder:
            raise
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
