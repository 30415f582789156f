"""What a tool says of itself, as a vector: its name and description, drawn toward the words of its parameters."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from predictors.encoders.protocol import Encoder, Vectors

from .registry import Tool

__all__ = ["document_of", "vectors_of"]

_DOCUMENT_CHARS: Final = 1_000
_PARAMETER_SHARE: Final = np.float32(0.3)  # beside 1 for the description; 0.3 to 0.5 served every registry alike
_PARAMETER_WORDS: Final = 150
_AT_ONCE: Final = 4_096  # tools; bounds what is held beside the vectors


def vectors_of(tools: Sequence[Tool], parameter_words: Sequence[Sequence[str]], encoder: Encoder) -> Vectors:
    """Unit rows, shape (n_tools, dim).

    Args:
        tools: whose vectors are wanted.
        parameter_words: of each tool, `schema_words` of its parameters.
        encoder: reads them.
    """
    vectors = np.empty((len(tools), encoder.dim), dtype=np.float32)
    for start in range(0, len(tools), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        _write(tools[part], parameter_words[part], encoder, vectors[part])
    return vectors


def _write(tools: Sequence[Tool], parameter_words: Sequence[Sequence[str]], encoder: Encoder, vectors: Vectors) -> None:
    vectors[:] = _encoded([document_of(tool) for tool in tools], encoder)
    rows = [row for row, words in enumerate(parameter_words) if words]
    spoken = [" ".join([*dict.fromkeys(parameter_words[row])][:_PARAMETER_WORDS]) for row in rows]
    drawn = vectors[rows] + _PARAMETER_SHARE * _encoded(spoken, encoder)  # (n_rows, dim)
    drawn /= np.maximum(np.linalg.norm(drawn, axis=1, keepdims=True), np.float32(1e-9))
    vectors[rows] = drawn


def document_of(tool: Tool) -> str:
    """What the encoder reads of a tool: its name in words, and its description."""
    name = " ".join(tool.name[:_DOCUMENT_CHARS].replace("_", " ").replace(".", " ").replace("/", " ").split())
    return f"{name}: {tool.description[:_DOCUMENT_CHARS]}" if tool.description else name


def _encoded(texts: Sequence[str], encoder: Encoder) -> Vectors:
    return encoder.encode(texts) if texts else np.zeros((0, encoder.dim), dtype=np.float32)
