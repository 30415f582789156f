"""Names and texts of others as a terminal may show them: what would steer it is spelt out."""

import re
from typing import Final

__all__ = ["MOST_ID_CHARS", "is_showable", "printable"]

MOST_ID_CHARS: Final = 500

# Control characters of ASCII and Latin-1 but tabulator and line feed, and those that turn the direction of writing.
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """The text with each control character spelt out."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def is_showable(name: str) -> bool:
    """Whether headers, logs, tables and pages can bear it as it is."""
    return name.isprintable() and len(name) <= MOST_ID_CHARS
