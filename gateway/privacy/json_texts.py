r"""Texts within a text that is JSON, such as a call's arguments or what a tool answered.

There a line's end is two letters, and any letter may be written as six: who looks at the text as it stands misses
`jane\u0040example.com`, takes the `n` of `\n` for the beginning of an address, and leaves half an escape behind. A text
within may be JSON again.
"""

import json
import re
from collections.abc import Callable

import orjson

__all__ = ["is_json", "rewritten"]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|-?\d[\d.eE+-]*+', re.DOTALL)
_BEGINS = ("{", "[", '"')


def is_json(text: str) -> bool:
    """Whether it is an object, a list or a text in JSON; other words for numbers and truths have nothing within."""
    if not text.lstrip().startswith(_BEGINS):
        return False
    try:
        orjson.loads(text)
    except ValueError:  # half of a character that was written as two is none of UTF-8
        return False
    return True


def rewritten(text: str, act: Callable[[str], str]) -> str:
    """JSON with `act` done to its texts, keys among them, and to its numbers; all else stays to the byte.

    Args:
        text: JSON.
        act: gives what is to stand in a text's place; what it makes of a number becomes a text.
    """

    def one(found: re.Match[str]) -> str:
        token = found[0]
        if not token.startswith('"'):
            now = act(token)
            return token if now == token else json.dumps(now, ensure_ascii=False)
        said: str = token[1:-1] if "\\" not in token else json.loads(token)
        now = act(said)
        return token if now == said else json.dumps(now, ensure_ascii=False)

    return _TOKEN.sub(one, text)
