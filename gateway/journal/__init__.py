"""Every decision and its outcome, kept."""

from .errors import (
    JournalDamagedError,
    JournalError,
    JournalFullError,
    JournalUnavailableError,
    JournalUnreadableError,
)
from .prompts import PromptKeeping
from .protocol import Journal, JournalHealth, RecordKind
from .reading import JournalledCall, JournalledOutcome, JournalReader
from .redis import RedisJournal
from .spooled import SpooledHealth, SpooledJournal, journal_line
from .sqlite import SqliteJournal

__all__ = [
    "Journal",
    "JournalDamagedError",
    "JournalError",
    "JournalFullError",
    "JournalHealth",
    "JournalReader",
    "JournalUnavailableError",
    "JournalUnreadableError",
    "JournalledCall",
    "JournalledOutcome",
    "PromptKeeping",
    "RecordKind",
    "RedisJournal",
    "SpooledHealth",
    "SpooledJournal",
    "SqliteJournal",
    "journal_line",
]
