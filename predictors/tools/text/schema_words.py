"""The words of a parameter schema that say what a tool takes: field names and their descriptions, in any dialect."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Final

from .words import words_of

__all__ = ["schema_words"]

_TEXT_KEYS: Final = frozenset({"description", "name", "title", "func_description", "functionality", "enum"})
_GRAMMAR_TEXT: Final = """
type properties required optional items default enum description name title format anyOf oneOf allOf $schema
    additionalProperties minimum maximum minItems maxItems in schema parameters object string integer number boolean
    array dict str int float list bool
"""
_GRAMMAR: Final = frozenset(_GRAMMAR_TEXT.split())


def schema_words(parameters: str) -> list[str]:
    """Words of a schema given as JSON text; text that is no JSON is read as it stands.

    At most the first thousand texts count: what a megabyte of schema says beyond them tells no tools apart.
    """
    if not parameters:
        return []
    try:
        texts = list(islice(_texts(json.loads(parameters)), _MOST_TEXTS))
    except (ValueError, RecursionError):
        texts = [parameters]
    return [word for text in texts for word in words_of(text[:_MOST_CHARS])]


_MOST_TEXTS: Final = 1_000
_MOST_CHARS: Final = 4_000


def _texts(node: object, *, spoken: bool = False) -> Iterator[str]:
    """Keys that are not grammar, and strings that describe; `spoken` says that a bare string here is worth reading."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key not in _GRAMMAR:
                yield str(key)
            yield from _texts(value, spoken=key in _TEXT_KEYS)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value, spoken=spoken)
    elif isinstance(node, str) and (spoken or " " in node):
        yield node
