"""The journal, where the operator says."""

from pathlib import Path

from gateway.journal_store import spool_beside
from gateway.settings import Settings

from .errors import JournalUnreadableError
from .reading import JournalReader
from .redis import RedisJournal
from .spooled import SpooledJournal, Spooling
from .sqlite import SqliteJournal

__all__ = ["check_collected", "open_journal", "open_reader"]


def open_journal(settings: Settings) -> SpooledJournal:
    """Its spool is made, and the process beside it started; neither waits for the store."""
    told = settings.journal
    spooling: Spooling = {
        "prompts": told.prompts,
        "refuse_when_full": told.when_full == "refuse",
        "spool_max_bytes": told.spool_max_mb << 20,
    }
    if told.stream_url is None:
        spooling["keep_days"] = told.keep_days
        return SqliteJournal(settings.journal_path, **spooling)
    return RedisJournal(
        spool_beside(settings.journal_path),
        told.stream_url,
        cluster=told.cluster,
        most_records=told.stream_max_records,
        namespace=settings.state.namespace,
        **spooling,
    )


def open_reader(settings: Settings) -> JournalReader:
    """Of the journal's file, or of the one that is filled from Redis.

    Raises:
        JournalUnreadableError: it is missing, or no journal.
    """
    return JournalReader(check_collected(settings))


def check_collected(settings: Settings) -> Path:
    """The file that is read, which is missing until somebody has collected it where Redis keeps the journal.

    Raises:
        JournalUnreadableError: nobody has.
    """
    path = settings.journal_path
    if settings.journal.stream_url is not None and not path.exists():
        raise JournalUnreadableError(
            path=str(path),
            problem=f"the journal is in Redis ({settings.journal.shown_stream}) and nothing was collected into this"
            " file; run `paretogate journal collect`",
        )
    return path
