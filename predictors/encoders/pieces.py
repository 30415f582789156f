"""A text in pieces: those that can be cut into words by their bytes alone, and those that only a tokenizer can read."""

import re
from typing import Final

import numpy as np

from .word_table import Integers

__all__ = ["MARKS", "WORDS", "bounds", "part"]

# Signs that prose has beyond ASCII, each with a byte that no UTF-8 has to stand for it. In Unicode they begin alike.
MARKS: Final = {sign: bytes((0xF5 + n,)) for n, sign in enumerate("\u2018\u2019\u201c\u201d\u2013\u2014\u2026\u2022")}
WORDS: Final = re.compile(rb"[a-z0-9]+|[^a-z0-9 \t\n\r]")
"""A plain piece's words, as `bounds` cuts them."""

_BLANK, _LETTER, _SIGN, _CONTROL, _ODD = range(5)


def part(text: str) -> tuple[bytes, bytes, str]:
    """A text's plain pieces in lower case, the kinds of their bytes, and the pieces only the tokenizer can read.

    Pieces stand between white space, where no token goes on. One that is not plain holds a character beyond ASCII other
    than a common sign, a control, a "_", which to the mending of slips (`TokenCounter`) is a letter, or, where the text
    may name a token of the tokenizer's own, a "[".
    """
    folded, kinds = _fold(text)
    if kinds is not None:
        return folded, kinds, ""
    as_bytes = _with_marks(text.encode("utf-8", "surrogatepass"))
    oddity = as_bytes.translate(_ODDITY_WITH_OWN if b"[" in as_bytes and _OWN.search(as_bytes) else _ODDITY)
    if _ODD not in oddity:
        folded = as_bytes.lower()
        return folded, folded.translate(_KINDS), ""
    signs = np.frombuffer(oddity, dtype=np.uint8)  # (n_bytes,)
    piece = (signs == _BLANK).cumsum()  # (n_bytes,): a blank belongs to the piece behind it
    is_odd = np.zeros(int(piece[-1]) + 1, dtype=np.bool_)  # (n_pieces,)
    is_odd[piece[signs == _ODD]] = True
    odd = is_odd.take(piece)  # (n_bytes,)
    letters = np.frombuffer(as_bytes, dtype=np.uint8)  # (n_bytes,)
    plain = letters[~odd].tobytes().lower()
    return plain, plain.translate(_KINDS), _without_marks(letters[odd].tobytes()).decode("utf-8", "surrogatepass")


def bounds(kinds: bytes) -> tuple[Integers, Integers]:
    """Where words start, and how long they are, of bytes of these kinds, of which the first and last are blank."""
    flags = np.frombuffer(kinds, dtype=np.uint8)
    before, here = flags[:-1], flags[1:]
    edge = before != here
    edge |= here == _SIGN  # two signs in a row are two words
    starts = (edge & here.astype(np.bool_)).nonzero()[0]
    ends = (edge & before.astype(np.bool_)).nonzero()[0]
    return starts + 1, ends - starts


def _fold(text: str) -> tuple[bytes, bytes | None]:
    """The text in lower case with the kind of each of its bytes; no kinds where only the tokenizer can read it."""
    if not text.isascii():
        return b"", None
    folded = text.lower().encode()
    kinds = folded.translate(_KINDS)
    return (b"", None) if _CONTROL in kinds else (folded, kinds)  # it drops those from within words


def _with_marks(as_bytes: bytes) -> bytes:
    """UTF-8 with one byte for each common sign."""
    if _LEAD not in as_bytes:
        return as_bytes
    letters = np.frombuffer(as_bytes, dtype=np.uint8)  # (n_bytes,)
    at = ((letters[:-2] == _LEAD[0]) & (letters[1:-1] == _LEAD[1])).nonzero()[0]
    marks = _MARK_OF.take(letters.take(at + 2))
    at, marks = at[marks > 0], marks[marks > 0]
    marked, kept = letters.copy(), np.ones(len(letters), dtype=np.bool_)
    marked[at] = marks
    kept[at + 1] = kept[at + 2] = False
    return marked[kept].tobytes()


def _without_marks(marked: bytes) -> bytes:
    for sign, mark in MARKS.items():
        marked = marked.replace(mark, sign.encode())
    return marked


_KINDS: Final = bytes(
    _BLANK if byte in b" \t\n\r"
    else _CONTROL if byte < 32 or byte == 127
    else _LETTER if chr(byte).isalnum() and byte < 128
    else _SIGN
    for byte in range(256)
)  # fmt: skip
_LEAD: Final = "\u2019".encode()[:2]
_MARK_OF: Final = np.zeros(256, dtype=np.uint8)  # by a sign's third byte
for _sign, _mark in MARKS.items():
    _MARK_OF[_sign.encode()[2]] = _mark[0]
_ODDITY: Final = bytes(
    _BLANK if byte in b" \t\n\r"
    else _ODD if byte == ord("_") or not (32 < byte < 127 or bytes((byte,)) in MARKS.values())
    else _LETTER
    for byte in range(256)
)  # fmt: skip
_OWN: Final = re.compile(rb"\[[A-Z]+\]")  # "[MASK]", say
_ODDITY_WITH_OWN: Final = bytes(_ODD if byte == ord("[") else kind for byte, kind in enumerate(_ODDITY))
