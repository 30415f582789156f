"""A request as the steps it asks for: "find the hotel, then book a cab" needs a tool for each half."""

import re
from typing import Final

__all__ = ["clauses_of"]

_BOUNDARY: Final = re.compile(
    r"""[.!?;\n,\s](?:  # branches look back at this: passing over other characters is quick where one class leads
        # A run of stops or of blanks is tried at its beginning alone. Where that fails, so does all of it, and to try
        # everywhere takes the square of its length.
        (?<=[.!?;\n])(?<![.!?;][.!?;\n])[.!?;\n]*(?:\s+|$)
        | (?:(?<=,)\s+|(?<=\s)(?<!\s\s)\s*)
          (?:and\s+then|then|and\s+also|after\s+(?:that|which)|followed\s+by|as\s+well\s+as)\s+
        | (?<=,)\s+(?:and\s+|or\s+)?
        | (?<=\s)(?<!\s\s)\s*and\s+
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_MIN_WORDS: Final = 3
_MAX_CLAUSES: Final = 8


def clauses_of(text: str) -> list[str]:
    """The whole text first, then its parts where it has several; never empty, at most nine entries.

    A part of fewer than three words is joined to the one before, so that "red, green and blue" is not torn apart.
    Parts beyond the eighth are left to the whole text.
    """
    parts: list[str] = []
    for part in _BOUNDARY.split(text[:_MAX_CHARS]):
        piece = part.strip()
        if not piece:
            continue
        if parts and (len(piece.split()) < _MIN_WORDS or len(parts[-1].split()) < _MIN_WORDS):
            parts[-1] = f"{parts[-1]} {piece}"
        else:
            parts.append(piece)
    return [text, *parts[:_MAX_CLAUSES]] if len(parts) > 1 else [text]


_MAX_CHARS: Final = 4_000
