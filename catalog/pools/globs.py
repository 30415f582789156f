"""Which models somebody means who writes names and patterns down: `openai/gpt-4o`, `gpt-4o*`, `OpenAI/*`.

A pattern is held against the whole id and against the name behind the maker's slash, and case says nothing: a list of
models to keep away must not let one through because it was written as its maker writes it.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache

__all__ = ["is_meant"]


def is_meant(names: Iterable[str], globs: tuple[str, ...]) -> bool:
    """Whether any of the globs means a model that goes by these names, its id and its aliases."""
    plain, patterns = _read(globs)
    known = {name.casefold() for name in names}
    known |= {name.partition("/")[2] for name in known if "/" in name}
    return not known.isdisjoint(plain) or any(fnmatchcase(name, pattern) for pattern in patterns for name in known)


@lru_cache(maxsize=16)  # a list is asked of every candidate of a pool in turn
def _read(globs: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Plain names, and patterns. Most are plain: to compile a pattern takes longer than to compare a thousand."""
    folded = [glob.casefold() for glob in globs]
    patterns = tuple(glob for glob in folded if not _WILD.isdisjoint(glob))
    return frozenset(folded).difference(patterns), patterns


_WILD = frozenset("*?[")
