"""Which models somebody means who writes names and patterns down: `openai/gpt-4o`, `gpt-4o*`, `OpenAI/*`.

A pattern is held against the whole id and against the name behind the maker's slash, and case says nothing: a list of
models to keep away must not let one through because it was written as its maker writes it.
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase, translate
from functools import lru_cache

__all__ = ["first_meant", "is_meant"]


def is_meant(names: Iterable[str], globs: tuple[str, ...]) -> bool:
    """Whether any of the globs means a model that goes by these names, its id and its aliases."""
    plain, _, any_pattern = _read(globs)
    known = _known(names)
    return not plain.keys().isdisjoint(known) or any(map(any_pattern.match, known))


def first_meant(names: Iterable[str], globs: tuple[str, ...]) -> int:
    """The place of the first glob that means a model of these names; how many globs there are where none does."""
    plain, patterns, any_pattern = _read(globs)
    known = _known(names)
    found = [plain[name] for name in known if name in plain]
    if any(map(any_pattern.match, known)):
        found += [at for glob, at in patterns.items() if any(fnmatchcase(name, glob) for name in known)][:1]
    return min(found, default=len(globs))


def _known(names: Iterable[str]) -> set[str]:
    known = {name.casefold() for name in names}
    return known | {name.partition("/")[2] for name in known if "/" in name}


@lru_cache(maxsize=16)  # a list is asked of every candidate of a pool in turn
def _read(globs: tuple[str, ...]) -> tuple[dict[str, int], dict[str, int], re.Pattern[str]]:
    """Plain names, and patterns, each with the place where it stands first; and all patterns as one.

    Most are plain: to compile a pattern takes longer than to compare a thousand. As one, a hundred patterns take one
    call of every name.
    """
    plain: dict[str, int] = {}
    patterns: dict[str, int] = {}
    for at, glob in enumerate(globs):
        folded = glob.casefold()
        (plain if _WILD.isdisjoint(folded) else patterns).setdefault(folded, at)
    return plain, patterns, re.compile("|".join(map(translate, patterns)) or _NEVER)


_NEVER = "(?!)"
_WILD = frozenset("*?[")
