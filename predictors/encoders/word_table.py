"""The tokens of many words at once: a hash table in arrays, asked with a few operations on whole arrays.

A word of up to 16 bytes is its own key, as two 64-bit numbers, so nothing is ever taken for something else. A word has
two places where it may stand. One that finds both taken, by words that cannot step aside or are learned later, is not
in the table, and its finder has to ask elsewhere.
"""

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["LONGEST_WORD", "PADDING", "Integers", "WordTable"]

Integers = npt.NDArray[np.int64]
_Keys = npt.NDArray[np.uint64]

LONGEST_WORD: Final = 16
"""Bytes; longer ones are not found."""
PADDING: Final = b"\0" * LONGEST_WORD
"""What must follow the last word of a text."""

_PLACE_BITS: Final = 17  # 131,072 places for at most 65,535 words
_FIRST_MIX: Final = 0x9E3779B97F4A7C15  # odd, and without a pattern
_SECOND_MIX: Final = 0xC2B2AE3D27D4EB4F
_ALL_BITS: Final = 0xFFFFFFFFFFFFFFFF
# Per length, which bits of the two halves belong to the word; a word that is too long keeps none and is entry 0.
_LOW_BITS: Final = np.array([*((1 << 8 * min(n, 8)) - 1 for n in range(LONGEST_WORD + 1)), 0], dtype=np.uint64)
_HIGH_BITS: Final = np.array([*((1 << 8 * max(n - 8, 0)) - 1 for n in range(LONGEST_WORD + 1)), 0], dtype=np.uint64)

_LEARNING: Final = Lock()  # one for all tables: words are learned rarely, and a table with a lock could not be copied


class WordTable:
    """Words and their tokens. It can learn until its room is full; safe to share among threads."""

    def __init__(self, words: Mapping[bytes, int], *, room: int) -> None:
        """`words` are one token each; `room` is for words that are learned, of any number of tokens."""
        fitting = [word for word in words if 0 < len(word) <= LONGEST_WORD]
        self._n = 1 + len(fitting)  # entry 0 is no word
        size = self._n + room
        self._low, self._high = np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.uint64)
        self._first_token = np.zeros(size, dtype=np.int64)
        self._n_more = np.zeros(size, dtype=np.int64)  # tokens beyond the first, and where they begin in `_more`
        self._more_at = np.zeros(size, dtype=np.int64)
        self._more = np.zeros(0, dtype=np.int64)
        self._places = np.zeros((2, 1 << _PLACE_BITS), dtype=np.uint16)
        placed = self._place([words[word] for word in fitting], fitting)
        self.left_out = frozenset(words.keys() - placed)

    def find(self, text: bytes, starts: Integers, lengths: Integers) -> Integers:
        """The entry of each word, or 0 for one that is not in the table; `PADDING` ends the text."""
        halves = np.ndarray((len(text) - LONGEST_WORD + 1,), dtype="V16", buffer=text, strides=(1,)).take(starts)
        low, high = halves.view("<u8").reshape(-1, 2).T
        bits = np.minimum(lengths, LONGEST_WORD + 1)
        low, high = low & _LOW_BITS.take(bits), high & _HIGH_BITS.take(bits)
        first, second = _places_of(low, high)
        found = self._places[0].take(first)
        missed = self._differ(found, low, high).nonzero()[0]
        if len(missed):
            low, high = low.take(missed), high.take(missed)
            again = self._places[1].take(second.take(missed))
            again[self._differ(again, low, high)] = 0
            found[missed] = again
        entries: Integers = found.astype(np.int64)
        return entries

    def tokens(self, entries: Integers, rows: Integers) -> Integers:
        """The tokens of these entries, each plus its entry's number in `rows`; in no particular order."""
        first = self._first_token.take(entries) + rows
        more = self._n_more.take(entries)
        owners = more.nonzero()[0]
        if not len(owners):
            return first
        times = more.take(owners)
        ends = times.cumsum()
        at = self._more_at.take(entries.take(owners)) - ends + times
        within = np.arange(int(ends[-1])) + at.repeat(times)
        return np.concatenate([first, self._more.take(within) + rows.take(owners).repeat(times)])

    def learn(self, word: bytes, tokens: Sequence[int]) -> bool:
        """Take a word in, if there is room and one of its places is free."""
        if not 0 < len(word) <= LONGEST_WORD or not tokens:
            return False
        low, high = (int.from_bytes(word[at : at + 8], "little") for at in (0, 8))
        mixed = (low * _FIRST_MIX + high * _SECOND_MIX) & _ALL_BITS
        spots = (0, mixed >> (64 - _PLACE_BITS)), (1, (mixed >> 24) & ((1 << _PLACE_BITS) - 1))
        with _LEARNING:
            free = next((spot for spot in spots if not self._places[spot]), None)
            if free is None or self._n == len(self._low):
                return False
            entry, self._n = self._n, self._n + 1
            self._low[entry], self._high[entry], self._first_token[entry] = low, high, tokens[0]
            self._more_at[entry], self._n_more[entry] = len(self._more), len(tokens) - 1
            self._more = np.concatenate([self._more, np.array(tokens[1:], dtype=np.int64)])
            self._places[free] = entry  # last: from here on it is found
        return True

    def _place(self, tokens: Sequence[int], words: Sequence[bytes]) -> set[bytes]:
        """Fill the empty table; gives back who found a place."""
        entries = np.arange(1, self._n)
        joined = b"".join(word.ljust(LONGEST_WORD, b"\0") for word in words)
        self._low[entries], self._high[entries] = np.frombuffer(joined, dtype="<u8").reshape(-1, 2).T
        self._first_token[entries] = tokens
        first, second = _places_of(self._low[entries], self._high[entries])
        self._places[0][first] = entries
        left = self._places[0][first] != entries
        self._places[1][second[left]] = entries[left]
        lost = (self._places[0][first] != entries) & (self._places[1][second] != entries)
        spots = np.stack([first, second])  # (2, n_entries)
        for entry in entries[lost].tolist():
            self._make_room(entry, spots)
        return {words[entry - 1] for entry in np.unique(self._places)[1:].tolist()}

    def _make_room(self, entry: int, spots: Integers) -> None:
        """Place an entry where another stands that can step aside; `spots` (2, n_entries) begin with entry 1."""
        for side in (0, 1):
            spot = spots[side, entry - 1]
            holder = int(self._places[side, spot])
            aside = 1 - side, spots[1 - side, holder - 1]
            if not self._places[aside]:
                self._places[aside], self._places[side, spot] = holder, entry
                return

    def _differ(self, entries: Integers, low: _Keys, high: _Keys) -> npt.NDArray[np.bool_]:
        different: npt.NDArray[np.bool_] = self._low.take(entries) != low
        different |= self._high.take(entries) != high
        return different


def _places_of(low: _Keys, high: _Keys) -> tuple[Integers, Integers]:
    """Where a word may stand: upper bits of a product are well mixed, even for words that differ in one letter."""
    mixed = low * np.uint64(_FIRST_MIX)
    mixed += high * np.uint64(_SECOND_MIX)
    second = (mixed >> np.uint64(24)) & np.uint64((1 << _PLACE_BITS) - 1)
    return (mixed >> np.uint64(64 - _PLACE_BITS)).view(np.int64), second.view(np.int64)
