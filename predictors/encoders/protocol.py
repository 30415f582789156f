"""Text in, vectors out."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Encoder", "Vectors"]

Vectors = npt.NDArray[np.float32]


class Encoder(Protocol):
    """Turns texts into unit vectors. The same text always gives the same vector, alone or in a batch."""

    @property
    def name(self) -> str:
        """Names the model and its parameters; a predictor refuses encodings of another name than it was fitted on."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit rows, shape (n_texts, dim)."""
        ...
