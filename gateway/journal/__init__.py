"""Every decision and its outcome, kept."""

from .errors import JournalDamagedError, JournalError, JournalFullError, JournalUnreadableError
from .prompts import PromptKeeping
from .protocol import Journal, JournalHealth, RecordKind
from .reading import JournalledCall, JournalledOutcome, JournalReader
from .sqlite import SqliteHealth, SqliteJournal, journal_line

__all__ = [
    "Journal",
    "JournalDamagedError",
    "JournalError",
    "JournalFullError",
    "JournalHealth",
    "JournalReader",
    "JournalUnreadableError",
    "JournalledCall",
    "JournalledOutcome",
    "PromptKeeping",
    "RecordKind",
    "SqliteHealth",
    "SqliteJournal",
    "journal_line",
]
