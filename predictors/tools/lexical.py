"""BM25 over several fields at once, in an inverted index that grows and shrinks without being rebuilt.

Written here, not taken from a library, because those that exist (bm25s, rank-bm25) index once and for all, while tools
come and go; a test compares every score with theirs.
"""

from collections.abc import Iterable, Sequence
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
        self._idf_mass: Scores | None = None  # (n_slots * n_fields,) idf of all distinct words there; None when stale
        self._length_norms: Scores | None = None  # (n_slots * n_fields,); None when stale

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
        self._idf_mass = self._length_norms = None
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
        self._idf_mass = self._length_norms = None

    def scores(self, words: Iterable[str]) -> Scores:
        """BM25 of every slot and field for a query's words, shape (n_slots, n_fields)."""
        return self._total(self._match(words))

    def scores_and_coverage(self, words: Iterable[str]) -> tuple[Scores, Scores]:
        """`scores`, and which share of a field's words the query has, by idf, in [0, 1]; both (n_slots, n_fields)."""
        match = self._match(words)
        return self._total(match), self._coverage(match)

    def scores_of_query(self, words: Iterable[str], parts: Sequence[Iterable[str]]) -> tuple[Scores, Scores, Scores]:
        """`scores_and_coverage`, and the first field's scores for parts of the query, from one look at the index.

        Args:
            words: of the whole query.
            parts: the words of each part; words that the whole does not have are passed over.

        Returns:
            scores (n_slots, n_fields), coverage (n_slots, n_fields), scores of the parts (n_parts, n_slots).
        """
        match = self._match(words)
        first = match.keys % self.n_fields == 0  # (n_postings,)
        rows = match.keys // self.n_fields  # (n_postings,)
        of_parts = np.zeros((len(parts), self.n_slots))
        for number, part in enumerate(parts):
            said = frozenset(part)
            chosen = first & np.repeat(
                np.array([word in said for word in match.words], dtype=bool), match.lengths
            )  # (n_postings,)
            of_parts[number] = np.bincount(rows[chosen], weights=match.bm25[chosen], minlength=self.n_slots)
        return self._total(match), self._coverage(match), of_parts

    def _match(self, words: Iterable[str]) -> "_Match":
        """The living postings of a query's distinct words, and what each adds to a score."""
        found = {word: p for word in dict.fromkeys(words) if (p := self._postings.get(word)) is not None}
        if not found:
            return _Match(words=(), lengths=_NO_KEYS, keys=_NO_KEYS, idf=_NO_WEIGHTS, bm25=_NO_WEIGHTS)
        arrays = [postings.arrays() for postings in found.values()]
        keys = np.concatenate([key for key, _ in arrays])  # (n_postings,) slot * n_fields + field
        counts = np.concatenate([count for _, count in arrays])  # (n_postings,)
        lengths = np.array([len(key) for key, _ in arrays])  # (n_words,)
        documents = np.array([postings.n_documents for postings in found.values()], dtype=np.float64)  # (n_words,)
        idf = np.repeat(self._idf(documents), lengths)  # (n_postings,)
        if self._n_alive < self.n_slots:
            idf *= self._alive[keys // self.n_fields]
        bm25 = idf * counts * (self.k1 + 1.0) / (counts + self._norms()[keys])
        return _Match(words=tuple(found), lengths=lengths, keys=keys, idf=idf, bm25=bm25)

    def _total(self, match: "_Match") -> Scores:
        return self._by_field(match.keys, match.bm25)

    def _coverage(self, match: "_Match") -> Scores:
        covered = self._by_field(match.keys, match.idf)
        return covered / self._masses().reshape(covered.shape)

    def _by_field(self, keys: Ints, weights: Scores) -> Scores:
        sums = np.bincount(keys, weights=weights, minlength=self.n_slots * self.n_fields)
        return sums.reshape(self.n_slots, self.n_fields).astype(np.float64)

    def _idf(self, n_documents: Scores) -> Scores:
        idf: Scores = np.log1p((self._n_alive - n_documents + 0.5) / (n_documents + 0.5))
        return idf

    def _masses(self) -> Scores:
        if self._idf_mass is None:
            size = self.n_slots * self.n_fields
            postings = list(self._postings.values())
            arrays = [p.arrays()[0] for p in postings]
            idf = self._idf(np.array([p.n_documents for p in postings], dtype=np.float64))  # (n_words,)
            keys = np.concatenate(arrays) if arrays else np.zeros(0, dtype=np.int64)  # (n_postings,)
            weights = np.repeat(idf, [len(a) for a in arrays])  # (n_postings,)
            self._idf_mass = np.maximum(np.bincount(keys, weights=weights, minlength=size), 1e-9)
        return self._idf_mass

    def _norms(self) -> Scores:
        """k1 * (1 - b + b * length / mean length) of every slot and field, shape (n_slots * n_fields,)."""
        if self._length_norms is None:
            mean = np.maximum(self._total_lengths / max(self._n_alive, 1), 1e-9)  # (n_fields,)
            norms: Scores = self.k1 * (1.0 - self.b + self.b * self._lengths[: self.n_slots] / mean)
            self._length_norms = norms.reshape(-1)
        return self._length_norms


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    """Postings of a query's words, word after word."""

    words: tuple[str, ...]
    lengths: Ints  # (n_words,) postings of each
    keys: Ints  # (n_postings,) slot * n_fields + field
    idf: Scores  # (n_postings,)
    bm25: Scores  # (n_postings,)


_NO_KEYS: Final = np.zeros(0, dtype=np.int64)
_NO_WEIGHTS: Final = np.zeros(0)


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
