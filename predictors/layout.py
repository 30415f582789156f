"""A prompt without what its layout alone decides: how options are marked and parted, and what ends a field's name.

"A. iron", "(i)iron || (ii)gold" and "[1] iron; [2] gold" ask the same, and so do "Question: why" and "QUESTION::why".
The formats are those of FormatSpread's grammar (Sclar et al., arXiv 2310.11324), as far as a text alone tells them.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

__all__ = ["without_layout"]

_Span = tuple[int, int]

# The mark of a first option, at the beginning of a line: "A. ", "(a)", "[1]", "<I>", "i )" and their like.
_FIRST: Final = re.compile(r"\n[ \t]*([(\[<]?)([1AaIi])( ?[.):]|[\]>])")
_CLOSING: Final = {"(": ")", "[": "]", "<": ">"}
_ROMAN: Final = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_NAMES: Final = {
    "1": tuple(map(str, range(1, 100))),
    "A": tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    "a": tuple("abcdefghijklmnopqrstuvwxyz"),
    "I": tuple(map(str.upper, _ROMAN)),
    "i": _ROMAN,
}
_GLUED: Final = 3  # so many marks in a row make a list even where no bracket and no blank sets them off
_PARTING: Final = " \t\n\r.,;|-"  # what stands between two options, or ends the last one
# Any other mark of an item, at the beginning of a line: "B. ", "(b) ", "[3] ", "iv) ".
_MARK: Final = re.compile(
    r"\n[ \t]*(?:\(?(?:[A-La-l]|\d{1,2}|[ivxIVX]{1,4}) ?[.):]|[\[<](?:[A-La-l]|\d{1,2}|[ivxIVX]{1,4})[\]>])[ \t]"
)
# The name of a field, one word at the beginning of a line, and what parts it from its value.
_FIELD: Final = re.compile(r"\n[ \t]*([A-Za-z]++)(?: ?(?::{1,3}|-(?=\s|$))\s*|\s*\n[ \t]+)")


# How a text of one line begins, if there is anything to take out of it.
_LAID_OUT: Final = re.compile(r"[ \t]*(?:[(\[<]|[0-9A-Za-z]+ ?[.):\]>-])")


def without_layout(text: str) -> tuple[str, int]:
    """The text with each option on a line of its own and without its mark, and how many marks it had.

    Behind the name of a field stands one blank. The time is linear in the text, whatever it is.
    """
    if "\n" not in text and not _LAID_OUT.match(text):
        return text, 0
    plain, n_listed = _without_lists("\n" + text)
    plain, n_others = _MARK.subn("\n", plain)
    return _FIELD.sub(r"\n\1 ", plain)[1:], n_listed + n_others


def _without_lists(text: str) -> tuple[str, int]:
    firsts = list(_FIRST.finditer(text))
    if not firsts:
        return text, 0
    parts: list[str] = []
    n_marks = at = 0
    for first, limit in zip(firsts, _limits(firsts, len(text)), strict=True):
        if first.start() < at:  # inside the list before
            continue
        marks = _list_from(first, text, limit)
        if not marks:
            continue
        parts.append(text[at : first.start()])
        line_end = text.find("\n", marks[-1][1])
        at = line_end if line_end >= 0 else len(text)
        ends = [*(start for start, _ in marks[1:]), at]
        parts += ["\n" + _trimmed(text[start:end]) for (_, start), end in zip(marks, ends, strict=True)]
        n_marks += len(marks)
    return "".join([*parts, text[at:]]), n_marks


def _limits(firsts: list[re.Match[str]], end: int) -> list[int]:
    """Where the list of each first mark ends at the latest: at the next mark that is alike."""
    limits, nearest = [], dict[tuple[str, ...], int]()
    for first in reversed(firsts):
        limits.append(nearest.get(first.groups(), end))
        nearest[first.groups()] = first.start()
    return limits[::-1]


def _list_from(first: re.Match[str], text: str, limit: int) -> list[_Span]:
    """Where the marks of the list that begins here stand, from and to; none if it is no list."""
    opening, name, closing = first.groups()
    if opening and _CLOSING[opening] != closing.strip():
        return []
    marks = _marks(opening, name, closing)
    line_end = text.find("\n", first.end(), limit)
    glued = not opening and not text[first.end() : first.end() + 1].isspace()
    for set_off in (_begins_line, _begins_word, _anywhere):
        within = line_end if line_end >= 0 and set_off is not _begins_line else limit
        found = [first.span(), *_following(text, first.end(), within, marks, set_off)]
        if len(found) >= (_GLUED if glued or (set_off is _anywhere and not opening) else 2):
            return found
    return []


@cache
def _marks(opening: str, name: str, closing: str) -> tuple[str, ...]:
    """All marks of the list whose first one is this."""
    return tuple(opening + each + closing for each in _NAMES[name])


def _following(
    text: str, at: int, limit: int, marks: tuple[str, ...], set_off: Callable[[str, int], bool]
) -> Iterator[_Span]:
    """The marks that follow the first, each after the one before."""
    for mark in marks[1:]:
        found = text.find(mark, at, limit)
        while found >= 0 and not set_off(text, found):
            found = text.find(mark, found + 1, limit)
        if found < 0:
            return
        at = found + len(mark)
        yield found, at


def _begins_line(text: str, at: int) -> bool:
    while text[at - 1] in " \t":
        at -= 1
    return text[at - 1] == "\n"


def _begins_word(text: str, at: int) -> bool:
    return text[at - 1].isspace()


def _anywhere(_text: str, _at: int) -> bool:
    return True


def _trimmed(option: str) -> str:
    return option.strip(" \t\n\r").rstrip(_PARTING).removesuffix("<sep>").rstrip(_PARTING)
