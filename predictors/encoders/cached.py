"""Remembers encodings: the same text is encoded once."""

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from threading import Lock
from typing import Final

import numpy as np

from .protocol import Encoder, Vectors

__all__ = ["CachedEncoder"]

_DIGEST_BYTES: Final = 16


class CachedEncoder:
    """Another encoder behind a bounded memory, the least recently used text forgotten first.

    Texts are kept as digests only, so a prompt does not outlive its request here. Worth its while before encoders that
    cost milliseconds; the static one is about as fast as the look-up. Safe to share among threads.
    """

    def __init__(self, encoder: Encoder, *, max_entries: int = 4_096) -> None:
        if max_entries < 1:
            raise ValueError(f"max_entries must be at least 1, not {max_entries}; leave the cache out instead")
        self.encoder = encoder
        self.max_entries = max_entries
        self._vectors: OrderedDict[bytes, Vectors] = OrderedDict()
        self._lock = Lock()

    @property
    def name(self) -> str:
        """The name of the encoder within: its vectors are the same."""
        return self.encoder.name

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.encoder.dim

    def __len__(self) -> int:
        return len(self._vectors)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit rows, shape (n_texts, dim); texts not in memory are encoded in one batch, each distinct one once."""
        keys = [blake2b(t.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest() for t in texts]
        known: dict[bytes, Vectors] = {}
        with self._lock:
            for key in keys:
                if key in self._vectors:
                    self._vectors.move_to_end(key)
                    known[key] = self._vectors[key]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        if missing:
            fresh = self.encoder.encode(list(missing.values()))  # (n_missing, dim)
            known.update(zip(missing, fresh, strict=True))
            self._remember({key: known[key] for key in missing})
        vectors = np.empty((len(keys), self.dim), dtype=np.float32)  # (n_texts, dim)
        for row, key in enumerate(keys):
            vectors[row] = known[key]
        return vectors

    def _remember(self, fresh: dict[bytes, Vectors]) -> None:
        with self._lock:
            for key, vector in fresh.items():
                self._vectors[key] = vector.copy()  # a view would keep its whole batch alive
                self._vectors.move_to_end(key)
            while len(self._vectors) > self.max_entries:
                self._vectors.popitem(last=False)
