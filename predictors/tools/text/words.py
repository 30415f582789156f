"""Text as the words that lexical matching compares: split names, no stop words, plain stems."""

import re
from functools import lru_cache
from itertools import chain
from typing import Final

__all__ = ["STOP_WORDS", "words_of"]

_CASE_CHANGE: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD: Final = re.compile(r"[^\W_\u3040-\u30ff\u3400-\u9fff]+|[\u3040-\u30ff\u3400-\u9fff]+")
_BLANKS: Final = "".join(chr(code) if chr(code).isalnum() else " " for code in range(128))  # for what is no letter
_LONGEST_KEPT: Final = 40  # characters of what is remembered: longer ones are no words, and would fill the memory
_FIRST_IDEOGRAM: Final = "\u3040"
_LAST_IDEOGRAM: Final = "\u9fff"

_STOP_TEXT: Final = """
a about above after again all also am an and any are as at be because been before being below between both but by
    can could did do does doing down during each few for from further give had has have having he her here hers him his
    how i if im in into is it its just let like ll me more most my need no nor not now of off on once only or other our
    out over own per please re s same she should so some such t than that the their them then there these they this
    those through to too under until up us use using ve very want was we were what when where which while who whom why
    will with would you your
"""
STOP_WORDS: Final = frozenset(_STOP_TEXT.split())


def words_of(text: str) -> list[str]:
    """Stems in reading order, repeats kept.

    `getUserName`, `get_user_name` and `get user names` give the same words. Runs of ideograms, which have no spaces,
    become overlapping pairs of characters.
    """
    if text.isascii():
        runs = text.translate(_BLANKS).split()  # where there is nothing but ASCII, no run depends on its neighbours
        return list(
            chain.from_iterable([_known_run(run) if len(run) <= _LONGEST_KEPT else _split(run) for run in runs])
        )
    return _split(text)


@lru_cache(maxsize=1 << 16)
def _known_run(run: str) -> tuple[str, ...]:
    """The words of letters and digits without a break between."""
    return tuple(_split(run))


def _split(text: str) -> list[str]:
    words: list[str] = []
    for word in _WORD.findall(_CASE_CHANGE.sub(" ", text).lower()):
        if _FIRST_IDEOGRAM <= word[0] <= _LAST_IDEOGRAM:
            words.extend([word] if len(word) == 1 else [word[i : i + 2] for i in range(len(word) - 1)])
        elif word not in STOP_WORDS:
            words.append(_stem(word) if len(word) <= _LONGEST_KEPT else _stem.__wrapped__(word))
    return words


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    """Cuts plural and verb endings; keeps a stem of three letters at least, so that `gas` and `red` stay whole."""
    if len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word[:-1] if len(word) > 3 and word.endswith("e") else word
