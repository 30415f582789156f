"""Which known word an unknown one was probably meant to be: those one typing slip away.

A slip is two neighbours that changed places, a letter too many, a letter missing, or a wrong one: the distance of
Damerau, A Technique for Computer Detection and Correction of Spelling Errors, 1964. Words are found by hashes of what
a slip leaves of them, as in SymSpell: a known word stands in the table whole, and once for each letter blotted out.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["Spelling"]

_SHORTEST: Final = 4  # letters: of a shorter word too many others are one slip away
_LONGEST: Final = 20
_BLOT: Final = 27  # stands for any letter; 1 to 26 are the letters, 0 is none
_NO_LETTER: Final = b"`"  # the sign before "a"
_NOT_FOUND: Final = 1 << 40  # beyond every token
_RANK: Final = 1 << 32  # beyond every token: a likelier slip goes before a commoner word
_RANKS: Final = np.arange(4) * _RANK
_FEW: Final = 4  # words, up to which plain numbers are faster than arrays: for a lone one by far
_AT_ONCE: Final = 256  # words; more would outgrow the caches
_PLAIN: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz")

_Hashes = npt.NDArray[np.uint64]
_Codes = npt.NDArray[np.intp]

# Zobrist's hashing: a word's hash is the sum of one random number per place and letter, so that what a slip changes
# is a sum and a difference. Two of 200,000 entries share one of 2^64 hashes with a chance of one in a billion.
_N_CODES: Final = _BLOT + 1
_NUMBER: Final = np.random.default_rng(0).integers(2**64, size=(_LONGEST + 2, _N_CODES), dtype=np.uint64)
_NUMBER[:, 0] = 0
_FLAT: Final = _NUMBER.reshape(-1)
_OF_PLACE: Final[list[list[int]]] = _NUMBER.tolist()
_64_BITS: Final = 2**64 - 1


class Spelling:
    """Known words of 4 to 20 small letters a to z, each with a token; the lesser token is the commoner word."""

    def __init__(self, words: Mapping[str, int]) -> None:
        plain = (word.encode() for word in sorted(words, key=words.__getitem__) if word.isascii())
        known = [word for word in plain if _is_plain(word)]  # the commonest first
        codes = _codes(b"".join(word.ljust(_LONGEST, _NO_LETTER) for word in known)).reshape(-1, _LONGEST)
        tokens = np.array([words[word.decode()] for word in known], dtype=np.int64)  # (n_words,)
        at = _NUMBER[np.arange(_LONGEST), codes]  # (n_words, longest)
        whole = at.sum(axis=1, dtype=np.uint64)
        row, place = np.nonzero(codes)
        blotted = whole[row] - at[row, place] + _NUMBER[place, _BLOT]
        hashes = np.concatenate([whole, blotted])
        order = np.argsort(hashes, kind="stable")
        hashes, tokens = hashes[order], np.concatenate([tokens, tokens[row]])[order]
        first = np.append(True, hashes[1:] != hashes[:-1])[: len(hashes)]  # the commonest of those that share one
        self._hashes, self._tokens = hashes[first], tokens[first]

    @property
    def n_bytes(self) -> int:
        """Of memory, for the arrays."""
        return int(self._hashes.nbytes + self._tokens.nbytes)

    def tokens(self, words: Sequence[bytes]) -> list[int | None]:
        """For each word that is not known, the token of the known one that is one slip away, or None.

        Likelier slips go first: neighbours swapped, a letter too many, one missing, a wrong one. Of several words that
        are as near the commonest is taken. A word that is no plain one has none.
        """
        found: list[int | None] = [None] * len(words)
        plain = [i for i, word in enumerate(words) if _is_plain(word)] if len(self._hashes) else []
        if len(plain) <= _FEW:
            for i in plain:
                found[i] = self._nearest_to_one(words[i])
            return found
        for start in range(0, len(plain), _AT_ONCE):
            asked = plain[start : start + _AT_ONCE]
            for i, token in zip(asked, self._nearest([words[i] for i in asked]).tolist(), strict=True):
                found[i] = token if token < _NOT_FOUND else None
        return found

    def _nearest_to_one(self, word: bytes) -> int | None:
        """The token found, as `_nearest` finds it for many."""
        kinds = _slips_of_one(word)
        slipped = np.array([slip & _64_BITS for kind in kinds for slip in kind], dtype=np.uint64)  # (n_slips,)
        at = self._hashes.searchsorted(slipped)
        found = (self._hashes.take(at, mode="clip") == slipped).nonzero()[0]
        if not len(found):
            return None
        ends = list(accumulate(map(len, kinds)))
        _, token = min((bisect_right(ends, slip), int(self._tokens[at[slip]])) for slip in found.tolist())
        return token

    def _nearest(self, words: Sequence[bytes]) -> npt.NDArray[np.int64]:
        """The token found for each, `_NOT_FOUND` where there is none, (n_words,)."""
        width = max(map(len, words))
        codes = _codes(b"".join(word.ljust(width, _NO_LETTER) for word in words)).reshape(-1, width)
        kinds = _one_slip_away(codes)
        slipped = np.concatenate(kinds, axis=1)  # (n_words, n_slips)
        at = np.minimum(self._hashes.searchsorted(slipped), len(self._hashes) - 1)
        rank = np.repeat(_RANKS, [kind.shape[1] for kind in kinds])  # (n_slips,)
        found = np.where(self._hashes.take(at) == slipped, self._tokens.take(at) + rank, _NOT_FOUND).min(axis=1)
        return np.where(found < _NOT_FOUND, found & (_RANK - 1), _NOT_FOUND)


def _is_plain(word: bytes) -> bool:
    return _SHORTEST <= len(word) <= _LONGEST and _PLAIN.issuperset(word)


def _codes(word: bytes) -> _Codes:
    return np.frombuffer(word, dtype=np.uint8).astype(np.intp) - (ord("a") - 1)


def _one_slip_away(codes: _Codes) -> tuple[_Hashes, _Hashes, _Hashes, _Hashes]:
    """Hashes of what each word (n_words, width) may have been: swapped back, with one letter less, one more, another.

    The last two hold a blot where the letter would be. Behind the end of a shorter word they are of no word at all.
    """
    width = codes.shape[1]
    entry = codes + np.arange(0, width * _N_CODES, _N_CODES)  # (n_words, width), of the letters' numbers
    at = _FLAT.take(entry)  # (n_words, width)
    whole = at.sum(axis=1, keepdims=True, dtype=np.uint64)
    before = _sums(at)  # (n_words, width + 1), of earlier letters
    left, right = _FLAT.take(entry - _N_CODES), _FLAT.take(entry + _N_CODES)  # every letter one place to either side
    earlier, later = (_sums(moved[:, ::-1])[:, ::-1] for moved in (left, right))  # of the letters from here on
    swapped = whole - at[:, :-1] - at[:, 1:] + left[:, 1:] + right[:, :-1]
    shorter = before[:, :-1] + earlier[:, 1:]
    longer = before + _NUMBER[: width + 1, _BLOT] + later
    replaced = whole - at + _NUMBER[:width, _BLOT]
    return swapped, shorter, longer, replaced


def _slips_of_one(word: bytes) -> tuple[list[int], list[int], list[int], list[int]]:
    """The same for one word, each a number modulo 2^64."""
    codes = [letter - (ord("a") - 1) for letter in word]
    at = [of_letter[code] for of_letter, code in zip(_OF_PLACE, codes, strict=False)]
    left = [of_letter[code] for of_letter, code in zip(_OF_PLACE, codes[1:], strict=False)]  # moved one place there
    right = [of_letter[code] for of_letter, code in zip(_OF_PLACE[1:], codes, strict=False)]
    blots = [of_letter[_BLOT] for of_letter in _OF_PLACE[: len(codes) + 1]]
    whole, before = sum(at), list(accumulate(at, initial=0))
    earlier, later = (list(accumulate(moved[::-1], initial=0))[::-1] for moved in (left, right))
    swapped = [whole - a - b + c + d for a, b, c, d in zip(at, at[1:], left, right, strict=False)]
    shorter = [a + b for a, b in zip(before, earlier, strict=False)]
    longer = [a + b + c for a, b, c in zip(before, blots, later, strict=True)]
    replaced = [whole - a + b for a, b in zip(at, blots, strict=False)]
    return swapped, shorter, longer, replaced


def _sums(numbers: _Hashes) -> _Hashes:
    """Of the first 0, 1, ... numbers of each row, (n_rows, n_numbers + 1)."""
    sums = np.zeros((len(numbers), numbers.shape[1] + 1), dtype=np.uint64)
    np.cumsum(numbers, axis=1, out=sums[:, 1:])
    return sums
