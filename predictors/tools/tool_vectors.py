"""What a tool says of itself, as vectors: its description with its parameters, and its name alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from predictors.encoders.protocol import Encoder, Vectors

from .registry import Tool
from .schema_words import schema_words

__all__ = ["ToolVectors", "document_of", "name_of"]

_DOCUMENT_CHARS: Final = 1_000
_PARAMETER_SHARE: Final = np.float32(0.3)  # beside 1 for the description; 0.3 to 0.5 served every registry alike
_PARAMETER_WORDS: Final = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolVectors:
    """Unit rows, one for each tool."""

    whole: Vectors  # (n_tools, dim) `document_of`, drawn toward the words of the parameters
    name: Vectors  # (n_tools, dim)

    @classmethod
    def of(cls, tools: Sequence[Tool], encoder: Encoder) -> Self:
        """Encode tools."""
        told = _encoded([document_of(tool) for tool in tools], encoder)  # (n_tools, dim), maybe the encoder's own
        whole = told.copy()
        spoken = [dict.fromkeys(schema_words(tool.parameters)) for tool in tools]
        rows = [row for row, words in enumerate(spoken) if words]
        whole[rows] += _PARAMETER_SHARE * _encoded([" ".join([*spoken[r]][:_PARAMETER_WORDS]) for r in rows], encoder)
        whole[rows] /= np.maximum(np.linalg.norm(whole[rows], axis=1, keepdims=True), np.float32(1e-9))
        return cls(whole=whole, name=_encoded([name_of(tool) for tool in tools], encoder))

    def moved(self, kept: npt.NDArray[np.int64], coming: "ToolVectors", rows: npt.NDArray[np.int64]) -> "ToolVectors":
        """The vectors of another version of the registry.

        Args:
            kept: (n_kept, 2) new row and old row of each tool that stays as it is.
            coming: the tools that are new or changed.
            rows: (n_coming,) where those stand.
        """
        whole = np.empty((len(kept) + len(rows), self.whole.shape[1]), dtype=np.float32)  # (n_tools, dim)
        name = np.empty_like(whole)  # (n_tools, dim)
        to, origin = kept.T
        whole[to], name[to] = self.whole[origin], self.name[origin]
        whole[rows], name[rows] = coming.whole, coming.name
        return ToolVectors(whole=whole, name=name)


def document_of(tool: Tool) -> str:
    """What the encoder reads of a tool: its name in words, and its description."""
    name = name_of(tool)
    return f"{name}: {tool.description[:_DOCUMENT_CHARS]}" if tool.description else name


def name_of(tool: Tool) -> str:
    """The name in words."""
    return " ".join(tool.name[:_DOCUMENT_CHARS].replace("_", " ").replace(".", " ").replace("/", " ").split())


def _encoded(texts: Sequence[str], encoder: Encoder) -> Vectors:
    return encoder.encode(texts) if texts else np.zeros((0, encoder.dim), dtype=np.float32)
