"""Where every decision, outcome and piece of feedback is kept."""

from collections.abc import Mapping
from typing import Protocol

from gateway.journal_store import RecordKind

__all__ = ["Journal", "JournalHealth", "RecordKind"]


class JournalHealth(Protocol):
    """How the journal fares; every count is since this process started, for `/metrics` and `paretogate doctor`."""

    @property
    def written(self) -> int:
        """Records accepted by `write`."""
        ...

    @property
    def lost(self) -> int:
        """Records that could not be kept, because the disk or the spool was full."""
        ...

    @property
    def pending_bytes(self) -> int:
        """Bytes that wait in the spool for the store."""
        ...

    @property
    def limit_bytes(self) -> int:
        """How much may wait there; beyond it, records are lost."""
        ...

    @property
    def store_failures(self) -> int:
        """Attempts to move records into the store that failed and will be repeated."""
        ...

    @property
    def stream_records(self) -> int | None:
        """Records of all replicas that wait in Redis to be collected, as last heard; None where none are kept there."""
        ...

    @property
    def stream_limit(self) -> int | None:
        """How many may; beyond it, records wait in the spool."""
        ...


class Journal(Protocol):
    """Keeps records. Their fields are those of the journal's JSON form; unknown fields are kept too."""

    def write(self, kind: RecordKind, record: Mapping[str, object]) -> bool:
        """Keep one record. Synchronous, some microseconds, and durable against SIGKILL when it returns.

        Returns:
            Whether it is kept; what is not was counted as lost.

        Raises:
            JournalFullError: the record cannot be kept, and the journal was told to refuse rather than to count.
        """
        ...

    @property
    def health(self) -> JournalHealth:
        """How the journal fares."""
        ...

    async def close(self) -> None:
        """Move what waits into the store and let go of it."""
        ...
