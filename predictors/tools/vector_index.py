"""Nearest tools among very many: exact while that is fast, inverted lists above; tools come and go all the while."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from predictors.encoders.protocol import Vectors

__all__ = ["VectorIndex"]

EXACT_UP_TO: Final = 20_000
_TRAINED_ON: Final = 50_000
_ROWS_PER_LIST: Final = 256
_MIN_PROBES: Final = 16
_PROBED_SHARE: Final = 16


class VectorIndex:
    """Cosine search over unit vectors that are added, replaced and removed one by one.

    Up to 20,000 vectors every one is compared. The first addition beyond that sorts all of them into about n / 256
    lists once (faiss IVF); later additions go to their list, and a search looks into the nearest
    sixteenth of the lists.
    """

    def __init__(self, *, dim: int, centres: Vectors | None = None) -> None:
        """An empty index; with the centres of another one (n_lists, dim) it has the same lists from the beginning."""
        self.dim = dim
        self._is_exact = centres is None or not len(centres)
        self._index: Any = _exact(dim) if centres is None or self._is_exact else _lists(centres)
        self._number_of: dict[str, int] = {}
        self._id_of: dict[int, str] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._number_of)

    @property
    def is_exact(self) -> bool:
        """Whether a search compares every vector."""
        return self._is_exact

    @property
    def centres(self) -> Vectors:
        """Of the lists, (n_lists, dim); none of an exact index."""
        if self._is_exact:
            return np.zeros((0, self.dim), dtype=np.float32)
        found: Vectors = self._index.quantizer.reconstruct_n(0, self._index.nlist)
        return found

    def put(self, tool_ids: Sequence[str], vectors: Vectors) -> None:
        """Add tools, or give known ones another vector.

        Args:
            tool_ids: without repeats.
            vectors: (n_tools, dim) unit rows.
        """
        self.remove([tool_id for tool_id in tool_ids if tool_id in self._number_of])
        numbers = np.arange(self._next, self._next + len(tool_ids), dtype=np.int64)
        self._next += len(tool_ids)
        if self._is_exact and len(self) + len(tool_ids) > EXACT_UP_TO:
            self._sort_into_lists(vectors)
        self._index.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), numbers)
        for tool_id, number in zip(tool_ids, numbers.tolist(), strict=True):
            self._number_of[tool_id], self._id_of[number] = number, tool_id

    def remove(self, tool_ids: Iterable[str]) -> None:
        """Forget tools; those that are not there are passed over."""
        numbers = [self._number_of.pop(tool_id) for tool_id in tool_ids if tool_id in self._number_of]
        if numbers:
            self._index.remove_ids(np.array(numbers, dtype=np.int64))
            for number in numbers:
                del self._id_of[number]

    def search(self, vectors: Vectors, k: int) -> list[list[tuple[str, float]]]:
        """The k nearest tools of each row, as (tool_id, cosine), best first."""
        if not len(self):
            return [[] for _ in vectors]
        cosines, numbers = self._index.search(np.ascontiguousarray(vectors, dtype=np.float32), min(k, len(self)))
        return [
            [(self._id_of[n], float(c)) for n, c in zip(row, cosine, strict=True) if n >= 0]
            for row, cosine in zip(numbers.tolist(), cosines.tolist(), strict=True)
        ]

    def _sort_into_lists(self, coming: Vectors) -> None:
        numbers = np.array(sorted(self._id_of), dtype=np.int64)
        held = np.stack([self._index.reconstruct(int(n)) for n in numbers]) if len(numbers) else coming[:0]
        everything = np.concatenate([held, coming]) if len(held) else coming  # (n, dim)
        sample = everything[:: max(1, len(everything) // _TRAINED_ON)].astype(np.float32)
        n_lists = max(1, min(len(everything) // _ROWS_PER_LIST, len(sample) // 39))  # faiss wants 39 points a list
        lists = _lists(np.zeros((n_lists, self.dim), dtype=np.float32), is_trained=False)
        lists.train(np.ascontiguousarray(sample))
        if len(numbers):
            lists.add_with_ids(np.ascontiguousarray(held, dtype=np.float32), numbers)
        self._index, self._is_exact = lists, False


def _lists(centres: Vectors, *, is_trained: bool = True) -> Any:  # noqa: ANN401 - faiss ships no types
    """Inverted lists around these centres, or as many that are yet to be found."""
    import faiss  # noqa: PLC0415 - only large registries pay for it

    n_lists, dim = centres.shape
    quantizer = faiss.IndexFlatIP(dim)
    lists = faiss.IndexIVFFlat(quantizer, dim, n_lists, faiss.METRIC_INNER_PRODUCT)
    lists.nprobe = max(_MIN_PROBES, len(centres) // _PROBED_SHARE)
    if is_trained:
        quantizer.add(np.ascontiguousarray(centres, dtype=np.float32))
        lists.is_trained = True
    return lists


def _exact(dim: int) -> Any:  # noqa: ANN401 - faiss ships no types
    import faiss  # noqa: PLC0415 - only those who search by index pay for it

    return faiss.IndexIDMap2(faiss.IndexFlatIP(dim))
