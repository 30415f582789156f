"""What requests and replicas share: limits, budgets and conversations; in memory, or in Redis."""

from .guarded import GuardedState, StateWatcher
from .kept import KeptState
from .memory import MemoryState
from .protocol import Claim, Grant, LimitName, Quota, Remembered, Settlement, StateStore, StateUnavailableError
from .redis import RedisState

__all__ = [
    "Claim",
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
]
