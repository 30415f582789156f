"""The embedded journal, in one SQLite file."""

from pathlib import Path
from typing import Unpack

from gateway.journal_store import spool_beside

from .spooled import SpooledJournal, Spooling

__all__ = ["SqliteJournal"]


class SqliteJournal(SpooledJournal):
    """Keeps records in one SQLite file, with the spool in a folder beside it."""

    def __init__(self, path: Path, *, busy_timeout_s: float = 5.0, **spooling: Unpack[Spooling]) -> None:
        self.path = path
        super().__init__(spool_beside(path), {"path": str(path.resolve()), "timeout_s": busy_timeout_s}, **spooling)
