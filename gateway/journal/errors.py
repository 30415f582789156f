"""What can go wrong with the journal.

GatewayError
└── JournalError
    ├── JournalFullError        a record cannot be kept: the disk or the spool is full
    ├── JournalDamagedError     a record is no JSON
    ├── JournalUnavailableError Redis, which keeps it, cannot be used now
    └── JournalUnreadableError  the store is missing, damaged or of another version
"""

from gateway.errors import GatewayError, UnavailableError

__all__ = [
    "JournalDamagedError",
    "JournalError",
    "JournalFullError",
    "JournalUnavailableError",
    "JournalUnreadableError",
]


class JournalError(GatewayError):
    """Something about the journal is wrong."""


class JournalFullError(JournalError, UnavailableError):
    """A record cannot be kept; nothing of it was written."""

    code = "journal_full"
    advice = "every decision is kept here, and there is no room for another; the operator must make some"
    retry_after_s = 30.0

    def __init__(self, *, folder: str, problem: str) -> None:
        super().__init__(
            f"the journal cannot keep a record in {folder}: {problem}; free space or raise journal.spool_max_mb"
        )
        self.folder, self.problem = folder, problem


class JournalDamagedError(JournalError):
    """A record is no JSON; what it says is not told."""

    def __init__(self, *, path: str, table: str, seq: int) -> None:
        super().__init__(
            f"the journal {path} is damaged: row {seq} of its table {table} is no JSON; restore it from a backup, or"
            " delete the row (by its seq)"
        )
        self.path, self.table, self.seq = path, table, seq


class JournalUnavailableError(JournalError):
    """Redis, which keeps it, cannot be used now, or (`for_good`) not as it was asked; nothing is lost by that."""

    def __init__(self, *, problem: str, for_good: bool = False) -> None:
        super().__init__(f"cannot use the journal in Redis: {problem}")
        self.problem, self.for_good = problem, for_good


class JournalUnreadableError(JournalError):
    """The store is missing, damaged or of another version."""

    def __init__(self, *, path: str, problem: str) -> None:
        super().__init__(f"cannot read the journal {path}: {problem}")
        self.path, self.problem = path, problem
