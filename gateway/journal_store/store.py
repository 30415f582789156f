"""Where the spool's lines go, whatever keeps them."""

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Store", "StoreFailedError"]


class StoreFailedError(Exception):
    """The store takes nothing now; what it was told has happened whole or not at all, and is to be told again."""


class Store(Protocol):
    """Takes each line exactly once, by its place in the spool: its segment, and its offset therein in bytes.

    Used by one thread. Every method may raise `StoreFailedError`, `sqlite3.Error` or `OSError`.
    """

    @property
    def exists(self) -> bool:
        """False where somebody took away what this is connected to: then it is to be opened anew."""
        ...

    @property
    def waiting(self) -> int | None:
        """Records that nobody has collected yet, as last heard; None where records are not to be collected."""
        ...

    def take(self, segment: str, offset: int, lines: Sequence[bytes]) -> int:
        """Keep lines that start at `offset` of a segment, and how far we came.

        Returns:
            The offset after the last line. Lines before the remembered offset are not kept again.
        """
        ...

    def note_damage(self, segment: str, offset: int, line: bytes, problem: str) -> None:
        """Keep bytes that are no record, for a person to look at."""
        ...

    def position(self, segment: str) -> int:
        """How much of a segment is kept."""
        ...

    def forget_segment(self, segment: str) -> None:
        """The segment's file is gone."""
        ...

    def forget_before(self, time: float) -> int:
        """Delete what is older than a time, seconds since the epoch; returns how many decisions went."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...
