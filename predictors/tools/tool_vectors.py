"""What a tool says of itself, as a vector: its name and description, drawn toward the words of its parameters."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from predictors.encoders.protocol import Encoder, Vectors

from .registry import Tool
from .schema_words import schema_words

__all__ = ["document_of", "vectors_of"]

_DOCUMENT_CHARS: Final = 1_000
_PARAMETER_SHARE: Final = np.float32(0.3)  # beside 1 for the description; 0.3 to 0.5 served every registry alike
_PARAMETER_WORDS: Final = 150


def vectors_of(tools: Sequence[Tool], encoder: Encoder) -> Vectors:
    """Unit rows, shape (n_tools, dim)."""
    told = _encoded([document_of(tool) for tool in tools], encoder)  # (n_tools, dim), maybe the encoder's own
    vectors = told.copy()
    spoken = [dict.fromkeys(schema_words(tool.parameters)) for tool in tools]
    rows = [row for row, words in enumerate(spoken) if words]
    vectors[rows] += _PARAMETER_SHARE * _encoded([" ".join([*spoken[r]][:_PARAMETER_WORDS]) for r in rows], encoder)
    vectors[rows] /= np.maximum(np.linalg.norm(vectors[rows], axis=1, keepdims=True), np.float32(1e-9))
    return vectors


def document_of(tool: Tool) -> str:
    """What the encoder reads of a tool: its name in words, and its description."""
    name = " ".join(tool.name[:_DOCUMENT_CHARS].replace("_", " ").replace(".", " ").replace("/", " ").split())
    return f"{name}: {tool.description[:_DOCUMENT_CHARS]}" if tool.description else name


def _encoded(texts: Sequence[str], encoder: Encoder) -> Vectors:
    return encoder.encode(texts) if texts else np.zeros((0, encoder.dim), dtype=np.float32)
