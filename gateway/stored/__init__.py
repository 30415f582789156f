"""Responses that are kept for a while, so that OpenAI's clients can ask for them again and go on from them."""

from .history import Keeping, ResponseHistory
from .memory import MemoryResponses
from .opening import open_history
from .protocol import Bounds, ResponseStore, StoreUnavailableError
from .redis import RedisResponses
from .sqlite import SqliteResponses

__all__ = [
    "Bounds",
    "Keeping",
    "MemoryResponses",
    "RedisResponses",
    "ResponseHistory",
    "ResponseStore",
    "SqliteResponses",
    "StoreUnavailableError",
    "open_history",
]
