"""Can the state directory and the journal be written: checked before anything starts, and by `paretogate doctor`."""

import tempfile
from pathlib import Path

from catalog import make_private

from .journal_store import spool_beside
from .settings import InvalidSettingsError, Settings

__all__ = ["check_storage", "why_no_journal", "why_no_spool", "why_unwritable"]

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
    if (problem := why_no_spool(settings.journal_path)) is not None:
        raise InvalidSettingsError(
            f"journal.url: {problem}; see who may use it, or name another file (PARETOGATE_JOURNAL__URL)"
        )
    if (problem := why_no_journal(settings.journal_path)) is not None:
        raise InvalidSettingsError(
            f"journal.url: {settings.journal_path} {problem}; name another file (PARETOGATE_JOURNAL__URL),"
            " or move it away"
        )


def why_no_journal(path: Path) -> str | None:
    """Why no journal can be kept in this file, where that is certain; None where it is one, or missing."""
    try:
        with path.open("r+b") as file:
            begins = file.read(len(_SQLITE_MARK))
    except FileNotFoundError:
        return None
    except IsADirectoryError:
        return "is a folder"
    except OSError as exc:
        return f"cannot be written: {exc.strerror or exc}"
    return None if begins in (b"", _SQLITE_MARK) else "is no SQLite file"


def why_no_spool(path: Path) -> str | None:
    """Why records cannot wait beside this journal; None where they can, or where nothing has been kept yet."""
    folder = spool_beside(path)
    problem = why_unwritable(folder) if folder.exists() else None
    return None if problem is None else f"cannot write in {folder}: {problem}"


def why_unwritable(folder: Path) -> str | None:
    """What hinders a file there, in a folder that is made where it is missing; None where nothing does."""
    try:
        make_private(folder)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
            file.flush()
    except OSError as exc:
        return exc.strerror or str(exc)
    return None
