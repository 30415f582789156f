"""Folders for sockets."""

import shutil
import tempfile
import weakref
from pathlib import Path

__all__ = ["short_folder"]


def short_folder(owner: object) -> Path:
    """Goes with its owner. A socket's path has room for 104 bytes, which a test's own folder may fill alone."""
    folder = tempfile.mkdtemp(prefix="paretogate-", dir="/tmp")
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
