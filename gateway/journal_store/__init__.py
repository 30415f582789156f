"""Where the journal is kept, and the process that moves the spool there: `python -m gateway.journal_store`.

Every worker has such a process beside it, so nothing is imported here but the standard library and the JSON parser; the
client of Redis comes with `stream` and `collector`, which are for those that name one.
"""

from .keeper import Keeper, Progress
from .retention import Retention
from .segments import lock_file, lock_folder, make_folder, segment_path, spool_beside
from .sqlite import COLUMNS, RecordKind, SqliteStore
from .store import Store, StoreFailedError

__all__ = [
    "COLUMNS",
    "Keeper",
    "Progress",
    "RecordKind",
    "Retention",
    "SqliteStore",
    "Store",
    "StoreFailedError",
    "lock_file",
    "lock_folder",
    "make_folder",
    "segment_path",
    "spool_beside",
]
