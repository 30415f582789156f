"""BM25 over several fields at once, in an inverted index that grows and shrinks without being rebuilt.

Written here, not taken from a library, because those that exist (bm25s, rank-bm25) index once and for all, while tools
come and go; a test compares every score with theirs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from .postings import Postings, read_postings

__all__ = ["LexicalIndex"]

Scores = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


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
        self._alive = np.zeros(0, dtype=bool)  # (n_slots,)
        self._lengths = np.zeros((0, n_fields))  # (n_slots, n_fields)
        self._total_lengths = np.zeros(n_fields)  # (n_fields,) over living documents
        self._n_alive = 0
        self._numbers: dict[str, int] = {}  # of every word there ever was, in the order in which they came
        self._postings = Postings.none()
        self._idf_mass: Scores | None = None  # (n_fields, n_slots) idf of all distinct words there; None when stale
        self._length_norms: Scores | None = None  # (n_slots * n_fields,); None when stale
        self._weighed: dict[str, _Weighed] = {}  # of the words that queries had since the last change

    def __len__(self) -> int:
        return self._n_alive

    def add(self, documents: Iterable[Sequence[Sequence[str]]]) -> Ints:
        """Index documents, each a bag of words per field; returns their slots, (n_documents,).

        All at once is many times faster than one by one: each call goes through all postings.
        """
        coming, lengths = read_postings(documents, self._numbers, n_fields=self.n_fields, first_slot=self.n_slots)
        slots = np.arange(self.n_slots, self.n_slots + len(lengths))
        self._postings = self._postings.joined(coming, n_fields=self.n_fields)
        self._lengths = np.concatenate([self._lengths, lengths])
        self._alive = np.concatenate([self._alive, np.ones(len(lengths), dtype=bool)])
        self._total_lengths = self._total_lengths + lengths.sum(axis=0)
        self._n_alive += len(lengths)
        self.n_slots += len(lengths)
        self._forget_weights()
        return slots

    def remove(self, slots: Iterable[int]) -> None:
        """Forget the documents in these slots; their scores are zero from now on, and they no longer count."""
        going = np.zeros(self.n_slots, dtype=bool)  # (n_slots,)
        going[list(slots)] = True
        going &= self._alive
        if not going.any():
            return
        self._postings = self._postings.without(going, n_fields=self.n_fields)
        self._total_lengths = self._total_lengths - self._lengths[going].sum(axis=0)
        self._alive = self._alive & ~going
        self._n_alive -= int(np.count_nonzero(going))
        self._forget_weights()

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All that the index holds."""
        words = "\n".join(self._numbers).encode("utf-8", "surrogatepass")
        return {
            "words": np.frombuffer(words, dtype=np.uint8),
            "alive": self._alive,
            "lengths": self._lengths,
            **{name: getattr(self._postings, name) for name in Postings.__dataclass_fields__},
        }

    def take_arrays(self, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Hold what another index held.

        Raises:
            KeyError, ValueError: these are not the arrays of an index of as many fields.
        """
        words = arrays["words"].tobytes().decode("utf-8", "surrogatepass")
        self._numbers = {word: number for number, word in enumerate(words.split("\n") if words else ())}
        self._alive, self._lengths = arrays["alive"], arrays["lengths"]
        self._postings = Postings(**{name: arrays[name] for name in Postings.__dataclass_fields__})
        if self._lengths.shape != (len(self._alive), self.n_fields) or len(self._numbers) != len(
            self._postings.documents
        ):
            raise ValueError("the lexical index is that of other documents")
        self.n_slots, self._n_alive = len(self._alive), int(np.count_nonzero(self._alive))
        self._total_lengths = self._lengths[self._alive].sum(axis=0)
        self._forget_weights()
        return self

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
        if (number := self._numbers.get(word)) is None or not (n_documents := self._postings.n_documents(number)):
            return None
        keys, counts = self._postings.of(number)  # (n_postings,) each
        if self.n_fields > 1:
            by_field = (keys % self.n_fields).argsort(kind="stable")  # (n_postings,)
            keys, counts = keys.take(by_field), counts.take(by_field)
        slot, field = np.divmod(keys, self.n_fields)  # (n_postings,) each
        idf = self._idf(np.array([n_documents], dtype=np.float64)).repeat(len(keys))  # (n_postings,)
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
            postings = self._postings
            weights = self._idf(postings.documents.astype(np.float64)).repeat(np.diff(postings.starts))  # (n_postings,)
            masses = np.maximum(np.bincount(postings.keys, weights=weights, minlength=size), 1e-9)
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
