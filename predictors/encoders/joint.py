"""Two encoders as one: where one misses a word, the other may not."""

from collections.abc import Sequence

import numpy as np

from .protocol import Encoder, Vectors

__all__ = ["JointEncoder"]


class JointEncoder:
    """The weighted vectors of both encoders end to end; a cosine is then the weighted mean of their cosines."""

    def __init__(self, first: Encoder, second: Encoder, *, second_share: float = 0.3) -> None:
        if not 0.0 < second_share < 1.0:
            raise ValueError(
                f"second_share must lie between 0 and 1, not {second_share}; use one encoder alone instead"
            )
        self.first, self.second, self.second_share = first, second, second_share

    @property
    def name(self) -> str:
        """Both names, and the share."""
        return f"{self.first.name}+{self.second_share:g}*{self.second.name}"

    @property
    def dim(self) -> int:
        """Length of both vectors together."""
        return self.first.dim + self.second.dim

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit rows, shape (n_texts, dim)."""
        first = np.float32(np.sqrt(1.0 - self.second_share)) * self.first.encode(texts)  # (n_texts, first.dim)
        second = np.float32(np.sqrt(self.second_share)) * self.second.encode(texts)  # (n_texts, second.dim)
        vectors: Vectors = np.concatenate([first, second], axis=1)
        return vectors
