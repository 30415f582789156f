"""The tokens of many words at once: a hash table in arrays, asked with a few operations on whole arrays.

A word of up to 16 bytes is its own key, as two 64-bit numbers, so nothing is ever taken for something else. A word has
two places where it may stand; one that finds both taken sends a word there to that one's other place (Pagh and Rodler,
Cuckoo Hashing, 2001). Whose word is not in the table has to ask elsewhere.
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
# What the halves of a word are multiplied by for either of its places: odd, and without a pattern.
_MIX: Final = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F), (0xD6E8FEB86659FD93, 0xA0761D6478BD642F)
_MOST_MOVES: Final = 64  # with so many places free the second or third word finds one
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
        found = self._places[0].take(_spots(0, low, high))
        missed = self._differ(found, low, high).nonzero()[0]
        if len(missed):
            low, high = low.take(missed), high.take(missed)
            again = self._places[1].take(_spots(1, low, high))
            again[self._differ(again, low, high)] = 0
            found[missed] = again
        entries: Integers = found.astype(np.int64)
        return entries

    def tokens(self, entries: Integers, rows: Integers) -> list[Integers]:
        """The first tokens of these entries, and then the others, each plus its entry's number in `rows`."""
        first = self._first_token.take(entries) + rows
        more = self._n_more.take(entries)
        owners = (more != 0).nonzero()[0]
        if not len(owners):
            return [first]
        times = more.take(owners)
        ends = times.cumsum()
        at = self._more_at.take(entries.take(owners)) - ends + times
        within = np.arange(int(ends[-1])) + at.repeat(times)
        return [first, self._more.take(within) + rows.take(owners).repeat(times)]

    def learn(self, word: bytes, tokens: Sequence[int]) -> bool:
        """Take a word in, if there is room."""
        if not 0 < len(word) <= LONGEST_WORD or not tokens:
            return False
        low, high = (int.from_bytes(word[at : at + 8], "little") for at in (0, 8))
        with _LEARNING:
            if self._n == len(self._low):
                return False
            entry, self._n = self._n, self._n + 1
            self._low[entry], self._high[entry], self._first_token[entry] = low, high, tokens[0]
            self._more_at[entry], self._n_more[entry] = len(self._more), len(tokens) - 1
            self._more = np.concatenate([self._more, np.array(tokens[1:], dtype=np.int64)])
            self._settle(entry)  # last: from here on it is found
        return True

    def _place(self, tokens: Sequence[int], words: Sequence[bytes]) -> set[bytes]:
        """Fill the empty table; gives back who found a place."""
        entries = np.arange(1, self._n)
        joined = b"".join(word.ljust(LONGEST_WORD, b"\0") for word in words)
        self._low[entries], self._high[entries] = np.frombuffer(joined, dtype="<u8").reshape(-1, 2).T
        self._first_token[entries] = tokens
        for side in (0, 1):
            homeless = entries[self._homeless(entries)]
            self._places[side][_spots(side, self._low[homeless], self._high[homeless])] = homeless
        for entry in entries[self._homeless(entries)].tolist():
            self._settle(entry)
        return {words[entry - 1] for entry in np.unique(self._places)[1:].tolist()}

    def _homeless(self, entries: Integers) -> npt.NDArray[np.bool_]:
        low, high = self._low[entries], self._high[entries]
        at_first, at_second = (self._places[side][_spots(side, low, high)] for side in (0, 1))
        homeless: npt.NDArray[np.bool_] = (at_first != entries) & (at_second != entries)
        return homeless

    def _settle(self, entry: int) -> None:
        """Give an entry its place. Whoever looks for one that is between two places meanwhile does not find it."""
        for move in range(_MOST_MOVES):
            low, high = int(self._low[entry]), int(self._high[entry])
            mixed = ((low * for_low + high * for_high) & _ALL_BITS for for_low, for_high in _MIX)
            spots = [(side, bits >> (64 - _PLACE_BITS)) for side, bits in enumerate(mixed)]
            spot = next((spot for spot in spots if not self._places[spot]), spots[move % 2])
            holder, self._places[spot] = int(self._places[spot]), entry
            if not holder:
                return
            entry = holder

    def _differ(self, entries: Integers, low: _Keys, high: _Keys) -> npt.NDArray[np.bool_]:
        different: npt.NDArray[np.bool_] = self._low.take(entries) != low
        different |= self._high.take(entries) != high
        return different


def _spots(side: int, low: _Keys, high: _Keys) -> Integers:
    """Where on a side words stand: upper bits of a product are well mixed, even for words that differ in one letter."""
    for_low, for_high = _MIX[side]
    mixed = low * np.uint64(for_low)
    mixed += high * np.uint64(for_high)
    return (mixed >> np.uint64(64 - _PLACE_BITS)).view(np.int64)
