"""What follows from a value alone, made once per value."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["IdentityCache"]

K = TypeVar("K")
V = TypeVar("V")


class IdentityCache(Generic[K, V]):
    """A function of one immutable value that remembers its last results.

    Values are told apart by identity, so it pays where the same object comes again and again; an equal one is made
    anew. Bounded: whoever makes up new values makes old ones forgotten, never the memory grow.
    """

    def __init__(self, make: Callable[[K], V], *, most: int = 256) -> None:
        self._make, self._most = make, most
        self._made: OrderedDict[int, tuple[K, V]] = OrderedDict()

    def __call__(self, value: K) -> V:
        """What is made of this value; what `make` raises is raised every time."""
        known = self._made.get(id(value))
        if known is not None and known[0] is value:  # kept alive here, so nobody else can have its identity
            return known[1]
        made = self._make(value)
        self._made[id(value)] = (value, made)
        if len(self._made) > self._most:
            self._made.popitem(last=False)
        return made
