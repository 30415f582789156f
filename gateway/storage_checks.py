"""Can the state directory and the journal be written: checked before anything starts, and by `paretogate doctor`."""

import tempfile
from pathlib import Path

from .settings import InvalidSettingsError, Settings

__all__ = ["check_storage", "why_no_journal", "why_unwritable"]

_SQLITE_MARK = b"SQLite format 3\0"


def check_storage(settings: Settings) -> None:
    """Do not start to serve what could not be kept.

    Raises:
        InvalidSettingsError: a folder cannot be written; the message says which setting names it.
    """
    for setting, folder in (("state.dir", settings.state_dir), ("journal.url", settings.journal_path.parent)):
        if (problem := why_unwritable(folder)) is not None:
            variable = f"PARETOGATE_{setting.upper().replace('.', '__')}"
            raise InvalidSettingsError(
                f"{setting}: cannot write in {folder}: {problem}; make it writable, or name another ({variable})"
            )
    if (problem := why_no_journal(settings.journal_path)) is not None:
        raise InvalidSettingsError(
            f"journal.url: {settings.journal_path} {problem}; name another file (PARETOGATE_JOURNAL__URL),"
            " or move it away"
        )


def why_no_journal(path: Path) -> str | None:
    """Why no journal can be kept in this file, where that is certain; None where it is one, or missing."""
    if path.is_dir():
        return "is a folder"
    try:
        with path.open("rb") as file:
            begins = file.read(len(_SQLITE_MARK))
    except OSError:
        return None  # missing, or for others to tell of
    return None if begins in (b"", _SQLITE_MARK) else "is no SQLite file"


def why_unwritable(folder: Path) -> str | None:
    """What hinders a file there, in a folder that is made where it is missing; None where nothing does."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
            file.flush()
    except OSError as exc:
        return exc.strerror or str(exc)
    return None
