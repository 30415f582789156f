"""What requests and replicas share: limits, budgets and conversations; in memory, in files, or in Redis."""

from .file import FileState, begin_anew, spent_in
from .guarded import GuardedState, StateWatcher
from .kept import KeptState, counting_in
from .memory import MemoryState
from .protocol import (
    Claim,
    Grant,
    LimitName,
    Quota,
    Remembered,
    Settlement,
    StateStore,
    StateUnavailableError,
    periods,
)
from .redis import RedisState

__all__ = [
    "Claim",
    "FileState",
    "Grant",
    "GuardedState",
    "KeptState",
    "LimitName",
    "MemoryState",
    "Quota",
    "RedisState",
    "Remembered",
    "Settlement",
    "StateStore",
    "StateUnavailableError",
    "StateWatcher",
    "begin_anew",
    "counting_in",
    "periods",
    "spent_in",
]
