"""BM25 over several fields at once, in an inverted index that grows and shrinks without being rebuilt.

Written here, not taken from a library, because those that exist (bm25s, rank-bm25) index once and for all, while tools
come and go; a test compares every score with theirs.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["LexicalIndex"]

Scores = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_FIRST_CAPACITY: Final = 64


class LexicalIndex:
    """Okapi BM25 of documents made of `n_fields` bags of words; a document keeps its slot until it is removed.

    score(d, f) = sum over distinct query words w in f of
        idf(w) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length)),
    idf(w) = log(1 + (N - n_w + 1/2) / (n_w + 1/2)), where n_w counts the documents with w in any field.

    Source: Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond, 2009 (Lucene's idf).
    """

    def __init__(self, *, n_fields: int = 1, k1: float = 1.5, b: float = 0.75) -> None:
        self.n_fields, self.k1, self.b = n_fields, k1, b
        self.n_slots = 0
        self._alive = np.zeros(_FIRST_CAPACITY, dtype=bool)  # (capacity,)
        self._lengths = np.zeros((_FIRST_CAPACITY, n_fields))  # (capacity, n_fields)
        self._total_lengths = np.zeros(n_fields)  # (n_fields,) over living documents
        self._n_alive = 0
        self._postings: dict[str, _Postings] = {}
        self._words: list[frozenset[str]] = []  # per slot, to take its counts back on removal
        self._idf_mass: Scores | None = None  # (n_fields, n_slots) idf of all distinct words there; None when stale
        self._length_norms: Scores | None = None  # (n_slots * n_fields,); None when stale
        self._weighed: dict[str, _Weighed] = {}  # of the words that queries had since the last change

    def __len__(self) -> int:
        return self._n_alive

    def add(self, fields: Sequence[Sequence[str]]) -> int:
        """Index one document, a bag of words per field; returns its slot."""
        slot = self.n_slots
        if slot == len(self._alive):
            self._alive = np.concatenate([self._alive, np.zeros_like(self._alive)])
            self._lengths = np.concatenate([self._lengths, np.zeros_like(self._lengths)])
        for number, words in enumerate(fields):
            counts: dict[str, int] = {}
            for word in words:
                counts[word] = counts.get(word, 0) + 1
            for word, count in counts.items():
                self._postings.setdefault(word, _Postings()).append(slot * self.n_fields + number, count)
            self._lengths[slot, number] = len(words)
        distinct = frozenset(word for words in fields for word in words)
        for word in distinct:
            self._postings[word].n_documents += 1
        self._words.append(distinct)
        self._alive[slot] = True
        self._total_lengths += self._lengths[slot]
        self._n_alive += 1
        self._forget_weights()
        self.n_slots += 1
        return slot

    def remove(self, slot: int) -> None:
        """Forget the document in a slot; its scores are zero from now on, and it no longer counts in any statistic."""
        if not self._alive[slot]:
            return
        self._alive[slot] = False
        self._total_lengths -= self._lengths[slot]
        self._n_alive -= 1
        for word in self._words[slot]:
            postings = self._postings[word]
            postings.n_documents -= 1
            if postings.n_documents == 0:
                del self._postings[word]
        self._words[slot] = frozenset()
        self._forget_weights()

    def scores(self, words: Iterable[str]) -> Scores:
        """BM25 of every slot and field for a query's words, shape (n_slots, n_fields)."""
        return self._total(self._found(words).values()).T

    def scores_and_coverage(self, words: Iterable[str]) -> tuple[Scores, Scores]:
        """`scores`, and which share of a field's words the query has, by idf, in [0, 1]; both (n_slots, n_fields)."""
        found = self._found(words).values()
        covered = [self._coverage(found, field) for field in range(self.n_fields)]
        return self._total(found).T, np.stack(covered, axis=1)

    def scores_of_query(
        self, words: Iterable[str], parts: Sequence[Iterable[str]], *, covered: int
    ) -> tuple[Scores, Scores, Scores]:
        """Scores and coverage, and the first field's scores for parts of the query, from one look at the index.

        Args:
            words: of the whole query.
            parts: the words of each part; words that the whole does not have are passed over.
            covered: the field whose coverage is wanted.

        Returns:
            scores (n_fields, n_slots), coverage (n_slots,), scores of the parts (n_parts, n_slots).
        """
        found = self._found(words)
        every = found.values()
        return self._total(every), self._coverage(every, covered), self._of_parts(found, parts)

    def _found(self, words: Iterable[str]) -> "dict[str, _Weighed]":
        """What each of a query's distinct words adds to scores; words that no document has are left out."""
        return {word: weighed for word in dict.fromkeys(words) if (weighed := self._weigh(word)) is not None}

    def _weigh(self, word: str) -> "_Weighed | None":
        if (known := self._weighed.get(word)) is not None:
            return known
        if (postings := self._postings.get(word)) is None:
            return None
        keys, counts = postings.arrays()
        slot, field = np.divmod(keys, self.n_fields)  # (n_postings,) each
        idf = self._idf(np.array([postings.n_documents], dtype=np.float64))
        bm25 = idf * counts * (self.k1 + 1.0) / (counts + self._norms()[keys])  # (n_postings,)
        living = self._alive[slot]  # (n_postings,)
        of_field = [living & (field == number) for number in range(self.n_fields)]
        weighed = _Weighed(
            slots=tuple(slot[chosen] for chosen in of_field),
            keys=np.concatenate([slot[chosen] + number * self.n_slots for number, chosen in enumerate(of_field)]),
            bm25=np.concatenate([bm25[chosen] for chosen in of_field]),
            idf=float(idf[0]),
        )
        self._weighed[word] = weighed
        return weighed

    def _total(self, found: "Collection[_Weighed]") -> Scores:
        sums = _sums([word.keys for word in found], [word.bm25 for word in found], self.n_fields * self.n_slots)
        return sums.reshape(self.n_fields, self.n_slots)

    def _coverage(self, found: "Collection[_Weighed]", field: int) -> Scores:
        """Which share of a field's words the query has, by idf, shape (n_slots,)."""
        slots = [word.slots[field] for word in found]
        idf = np.array([word.idf for word in found]).repeat([len(rows) for rows in slots])  # (n_postings,)
        coverage: Scores = _sums(slots, [idf], self.n_slots) / self._masses()[field]
        return coverage

    def _of_parts(self, found: "Mapping[str, _Weighed]", parts: Sequence[Iterable[str]]) -> Scores:
        """The first field's scores for parts of a query, shape (n_parts, n_slots)."""
        slots: list[Ints] = []
        bm25: list[Scores] = []
        lengths: list[int] = []  # (n_parts,) postings of each
        for part in parts:
            said = frozenset(part)
            chosen = [weighed for word, weighed in found.items() if word in said]
            slots += [word.slots[0] for word in chosen]
            bm25 += [word.bm25[: len(word.slots[0])] for word in chosen]
            lengths.append(sum(len(word.slots[0]) for word in chosen))
        before = (np.arange(len(parts)) * self.n_slots).repeat(lengths)  # (n_postings,)
        keys = [np.concatenate(slots) + before] if slots else []
        return _sums(keys, bm25, len(parts) * self.n_slots).reshape(len(parts), self.n_slots)

    def _idf(self, n_documents: Scores) -> Scores:
        idf: Scores = np.log1p((self._n_alive - n_documents + 0.5) / (n_documents + 0.5))
        return idf

    def _masses(self) -> Scores:
        if self._idf_mass is None:
            size = self.n_slots * self.n_fields
            postings = list(self._postings.values())
            arrays: list[Ints] = [p.arrays()[0] for p in postings]
            idf = self._idf(np.array([p.n_documents for p in postings], dtype=np.float64))  # (n_words,)
            sums = _sums(arrays, [np.repeat(idf, [len(a) for a in arrays])], size)
            self._idf_mass = np.ascontiguousarray(np.maximum(sums, 1e-9).reshape(self.n_slots, self.n_fields).T)
        return self._idf_mass

    def _norms(self) -> Scores:
        """k1 * (1 - b + b * length / mean length) of every slot and field, shape (n_slots * n_fields,)."""
        if self._length_norms is None:
            mean = np.maximum(self._total_lengths / max(self._n_alive, 1), 1e-9)  # (n_fields,)
            norms: Scores = self.k1 * (1.0 - self.b + self.b * self._lengths[: self.n_slots] / mean)
            self._length_norms = norms.reshape(-1)
        return self._length_norms

    def _forget_weights(self) -> None:
        """After a change: every mean, count and idf is another."""
        self._idf_mass = self._length_norms = None
        self._weighed.clear()


def _sums(keys: Sequence[Ints], weights: Sequence[Scores], size: int) -> Scores:
    """The sum of the weights of each key, shape (size,)."""
    if not keys:
        return np.zeros(size)
    sums = np.bincount(np.concatenate(keys), weights=np.concatenate(weights), minlength=size)
    return sums.astype(np.float64, copy=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighed:
    """What one word adds to the scores of living documents, field after field."""

    slots: tuple[Ints, ...]  # n_fields arrays, the documents with the word in that field
    keys: Ints  # (n_postings,) field * n_slots + slot
    bm25: Scores  # (n_postings,)
    idf: float


class _Postings:
    """Where one word stands: (slot * n_fields + field) and how often. Appended as lists, read as arrays."""

    __slots__ = ("_arrays", "_counts", "_keys", "n_documents")

    def __init__(self) -> None:
        self.n_documents = 0
        self._keys: list[int] = []
        self._counts: list[int] = []
        self._arrays: tuple[Ints, Scores] | None = None

    def append(self, key: int, count: int) -> None:
        self._keys.append(key)
        self._counts.append(count)
        self._arrays = None

    def arrays(self) -> tuple[Ints, Scores]:
        if self._arrays is None:
            self._arrays = np.array(self._keys, dtype=np.int64), np.array(self._counts, dtype=np.float64)
        return self._arrays
