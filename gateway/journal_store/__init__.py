"""The journal's tables, and the process that fills them from the spool: `python -m gateway.journal_store`.

Every worker has such a process beside it, so nothing is imported here but the standard library and the JSON parser.
"""

from .keeper import Keeper, Progress
from .segments import lock_folder, segment_path, spool_beside
from .store import COLUMNS, RecordKind, Store

__all__ = [
    "COLUMNS",
    "Keeper",
    "Progress",
    "RecordKind",
    "Store",
    "lock_folder",
    "segment_path",
    "spool_beside",
]
