"""One request's life, between the door and the backends: decide, record, call, fall back, account."""

from .call import Call, Clocks
from .dispatcher import Dispatcher
from .relaying import OpenStream

__all__ = ["Call", "Clocks", "Dispatcher", "OpenStream"]
