"""Which words stand in which fields of which documents, as sorted arrays: what an inverted index looks up."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["Postings", "read_postings"]

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int32]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Postings:
    """Where every word stands, and how often: word after word, in the order of their numbers. Never changed in place.

    A key is slot * n_fields + field; the keys of word w are `keys[starts[w] : starts[w + 1]]`, rising.
    """

    starts: Ints  # (n_words + 1,)
    documents: Ints  # (n_words,) how many documents have the word in any field
    keys: npt.NDArray[np.int32]  # (n_postings,)
    counts: npt.NDArray[np.int32]  # (n_postings,)

    @classmethod
    def none(cls) -> "Postings":
        """Of no words."""
        nothing = np.zeros(0, dtype=np.int32)
        return cls(
            starts=np.zeros(1, dtype=np.int64), documents=np.zeros(0, dtype=np.int64), keys=nothing, counts=nothing
        )

    @classmethod
    def sorted_by_word(
        cls, words: Numbers, keys: Numbers, counts: Numbers, *, n_words: int, n_fields: int
    ) -> "Postings":
        """From postings (n,) each in any order, whose keys rise for each word."""
        order = words.argsort(kind="stable")
        words, keys, counts = words[order], keys[order], counts[order]
        starts = np.zeros(n_words + 1, dtype=np.int64)
        np.cumsum(np.bincount(words, minlength=n_words), out=starts[1:])
        slots = keys // n_fields
        is_new = np.ones(len(words), dtype=bool)  # (n,) the first field in which a document has the word
        is_new[1:] = (words[1:] != words[:-1]) | (slots[1:] != slots[:-1])
        documents = np.bincount(words[is_new], minlength=n_words).astype(np.int64)
        return cls(starts=starts, documents=documents, keys=keys, counts=counts)

    def of(self, word: int) -> tuple[Ints, Scores]:
        """Keys and counts of one word, (n_postings,) each."""
        where = slice(self.starts[word], self.starts[word + 1])
        return self.keys[where].astype(np.int64), self.counts[where].astype(np.float64)

    def n_documents(self, word: int) -> int:
        """How many documents have it."""
        return int(self.documents[word])

    def joined(self, coming: "Postings", *, n_fields: int) -> "Postings":
        """With those of later slots, whose words may be more."""
        if not len(self.keys):
            return coming
        return self.sorted_by_word(
            np.concatenate([self.words(), coming.words()]),
            np.concatenate([self.keys, coming.keys]),
            np.concatenate([self.counts, coming.counts]),
            n_words=len(coming.documents),
            n_fields=n_fields,
        )

    def without(self, going: npt.NDArray[np.bool_], *, n_fields: int) -> "Postings":
        """Without these slots (n_slots,)."""
        kept = ~going[self.keys // n_fields]  # (n_postings,)
        return self.sorted_by_word(
            self.words()[kept],
            self.keys[kept],
            self.counts[kept],
            n_words=len(self.documents),
            n_fields=n_fields,
        )

    def words(self) -> Numbers:
        """Whose each posting is, (n_postings,)."""
        return np.arange(len(self.documents), dtype=np.int32).repeat(np.diff(self.starts))


def read_postings(
    documents: Iterable[Sequence[Sequence[str]]], numbers: dict[str, int], *, n_fields: int, first_slot: int
) -> tuple[Postings, Scores]:
    """The postings of documents in one slot after another, and their fields' lengths in words, (n_documents, n_fields).

    Args:
        documents: each a bag of words per field.
        numbers: of the words that are known; new words are added.
        n_fields: of every document.
        first_slot: of the first document.
    """
    reader = _Reader(numbers, n_fields=n_fields, first_key=first_slot * n_fields)
    for document in documents:
        reader.take(document)
    return reader.done()


class _Reader:
    """Counts the words of one document after another, some thousand words at a time."""

    def __init__(self, numbers: dict[str, int], *, n_fields: int, first_key: int) -> None:
        self._numbers, self._n_fields, self._first_key = numbers, n_fields, first_key
        self._words: list[int] = []  # numbers of those that are not counted yet
        self._lengths = array("q")  # of each field of each document
        self._n_counted = 0  # fields
        self._counted: list[tuple[Numbers, Numbers, Numbers]] = []

    def take(self, document: Sequence[Sequence[str]]) -> None:
        """Read one document."""
        numbers = self._numbers
        for words in document:
            self._words += [numbers.setdefault(word, len(numbers)) for word in words]
            self._lengths.append(len(words))
        if len(self._words) > _COUNTED_AT_ONCE:
            self._count()

    def done(self) -> tuple[Postings, Scores]:
        """What `read_postings` returns."""
        self._count()
        words, keys, counts = (np.concatenate(parts) for parts in zip(*self._counted, strict=True))
        postings = Postings.sorted_by_word(words, keys, counts, n_words=len(self._numbers), n_fields=self._n_fields)
        return postings, np.array(self._lengths, dtype=np.float64).reshape(-1, self._n_fields)

    def _count(self) -> None:
        lengths = np.array(self._lengths[self._n_counted :], dtype=np.int64)  # (n_fields_read,)
        first = self._first_key + self._n_counted
        keys = np.arange(first, first + len(lengths)).repeat(lengths)  # (n_words_read,)
        both = np.array(self._words, dtype=np.int64) << _KEY_BITS | keys
        found, counts = np.unique(both, return_counts=True)
        self._counted.append(
            (
                (found >> _KEY_BITS).astype(np.int32),
                (found & ((1 << _KEY_BITS) - 1)).astype(np.int32),
                counts.astype(np.int32),
            )
        )
        self._words.clear()
        self._n_counted = len(self._lengths)


_KEY_BITS: Final = 32
_COUNTED_AT_ONCE: Final = 1 << 18
