"""BM25 over several fields at once, in an inverted index that grows and shrinks without being rebuilt.

Written here, not taken from a library, because those that exist (bm25s, rank-bm25) index once and for all, while tools
come and go; a test compares every score with theirs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
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
        found = self._found(words).values()
        return self._sums([word.keys for word in found], [word.bm25 for word in found], n_rows=self.n_fields).T

    def scores_of_query(
        self, words: Iterable[str], parts: Sequence[Iterable[str]], *, covered: int = 0
    ) -> tuple[Scores, Scores, Scores]:
        """Scores, coverage, and the first field's scores for parts of the query, from one look at the index.

        Args:
            words: of the whole query.
            parts: the words of each part; words that the whole does not have are passed over.
            covered: the field whose coverage is wanted: which share of its words the query has, by idf, in [0, 1].

        Returns:
            scores (n_fields, n_slots), coverage (n_slots,), scores of the parts (n_parts, n_slots).
        """
        found = self._found(words)
        keys, weights = [word.keys for word in found.values()], [word.bm25 for word in found.values()]
        named = [word.fields[covered] for word in found.values()]
        keys += [of.slots for of in named]
        weights += [of.idf for of in named]
        lengths = [sum([len(of.slots) for of in named])]  # (1 + n_parts,) postings of each row after the fields
        for part in parts:
            said = frozenset(part)
            chosen = [of.fields[0] for word, of in found.items() if word in said]
            keys += [of.slots for of in chosen]
            weights += [of.bm25 for of in chosen]
            lengths.append(sum([len(of.slots) for of in chosen]))
        sums = self._sums(keys, weights, n_rows=self.n_fields + len(lengths), lengths=lengths)
        coverage = sums[self.n_fields] / self._masses()[covered]  # (n_slots,)
        return sums[: self.n_fields], coverage, sums[self.n_fields + 1 :]

    def _found(self, words: Iterable[str]) -> "dict[str, _Weighed]":
        """What each of a query's distinct words adds to scores; words that no document has are left out."""
        return {word: weighed for word in dict.fromkeys(words) if (weighed := self._weigh(word)) is not None}

    def _weigh(self, word: str) -> "_Weighed | None":
        if (known := self._weighed.get(word)) is not None:
            return known
        if (postings := self._postings.get(word)) is None:
            return None
        keys, counts = postings.arrays()
        if self._n_alive < self.n_slots:
            living = self._alive[keys // self.n_fields]  # (n_postings,)
            keys, counts = keys[living], counts[living]
        if self.n_fields > 1:
            by_field = (keys % self.n_fields).argsort(kind="stable")  # (n_postings,)
            keys, counts = keys.take(by_field), counts.take(by_field)
        slot, field = np.divmod(keys, self.n_fields)  # (n_postings,) each
        idf = self._idf(np.array([postings.n_documents], dtype=np.float64)).repeat(len(keys))  # (n_postings,)
        bm25 = idf * counts * (self.k1 + 1.0) / (counts + self._norms().take(keys))  # (n_postings,)
        ends = np.bincount(field, minlength=self.n_fields).cumsum().tolist()  # (n_fields,)
        weighed = _Weighed(
            keys=field * self.n_slots + slot,
            bm25=bm25,
            fields=tuple(
                _InField(slots=slot[start:end], bm25=bm25[start:end], idf=idf[start:end])
                for start, end in pairwise([0, *ends])
            ),
        )
        self._weighed[word] = weighed
        return weighed

    def _sums(
        self, keys: Sequence[Ints], weights: Sequence[Scores], *, n_rows: int, lengths: Sequence[int] = ()
    ) -> Scores:
        """Sums of weights per row and slot, shape (n_rows, n_slots).

        Args:
            keys: row * n_slots + slot of the first rows, one for each field; after them only the slots of the last.
            weights: of each key.
            n_rows: in all.
            lengths: how many keys each of the last rows has.
        """
        if not keys:
            return np.zeros((n_rows, self.n_slots))
        flat = np.concatenate(keys)  # (n_keys,)
        if lengths:
            before = np.arange(self.n_fields * self.n_slots, n_rows * self.n_slots, self.n_slots).repeat(lengths)
            flat[len(flat) - len(before) :] += before
        sums = np.bincount(flat, weights=np.concatenate(weights), minlength=n_rows * self.n_slots)
        return sums.astype(np.float64, copy=False).reshape(n_rows, self.n_slots)

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
            masses = np.maximum(np.bincount(keys, weights=weights, minlength=size), 1e-9)
            self._idf_mass = np.ascontiguousarray(masses.reshape(self.n_slots, self.n_fields).T)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _InField:
    """What one word adds to the scores of one field."""

    slots: Ints  # (n,) the living documents that have it there
    bm25: Scores  # (n,)
    idf: Scores  # (n,) all the same


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighed:
    """What one word adds to the scores of living documents, field after field, and once more apart."""

    keys: Ints  # (n_postings,) field * n_slots + slot
    bm25: Scores  # (n_postings,)
    fields: tuple[_InField, ...]


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
