"""How often each token is in each of many texts, without asking the tokenizer about words that are known."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from .pieces import MARKS, WORDS, bounds, part
from .spelling import Spelling
from .word_table import PADDING, Integers, WordTable

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["TokenCounter", "TokenCounts"]

_MAX_LEARNED: Final = 20_000  # words; about 6 MB
_LONGEST_LEARNED: Final = 20  # letters: what is longer is hardly a word, and may be a secret
_FEW: Final = 600  # characters of all texts together, up to which words are looked up one by one
_FIRST_IDEOGRAPH, _N_IDEOGRAPHS = 0x4E00, 20_902  # as Unicode began; BERT's splitting makes a word of each


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCounts:
    """Text after text, the distinct tokens of each in rising order."""

    tokens: Integers  # (n,)
    counts: npt.NDArray[np.float32]  # (n,)
    ends: tuple[int, ...]  # (n_texts,), where each text's tokens end


class TokenCounter:
    """Counts for one tokenizer that folds case and splits words as BERT's does.

    Its words are runs of letters and digits, and single other signs. All but a few words of a text are known,
    so that only new words go to the tokenizer, and those of letters alone are remembered. What might be a key or a
    number is not. Many words are cut and looked up by array operations, which pay from some six hundred characters on;
    a lone short question is read in a third of their time by a dictionary. Of a text that is not all ASCII only the
    pieces that `part` cannot cut go to the tokenizer, which takes many times as long.

    A forgiving one reads a word that it does not know as the known one that is a typing slip away, if there is one: the
    tokens that the tokenizer would cut such a word into have nothing to do with what was meant.
    """

    def __init__(self, tokenizer: "Tokenizer", *, forgiving: bool = False) -> None:
        self.tokenizer = tokenizer  # a tokenizers.Tokenizer without truncation and padding
        vocabulary = tokenizer.get_vocab()
        whole = {
            token.encode(): number
            for token, number in vocabulary.items()
            if token.isascii() and (token.isalnum() or len(token) == 1)
        }
        self._spelling = Spelling({word.decode(): token for word, token in whole.items()}) if forgiving else None
        whole |= {mark: self.pieces(sign.encode())[0] for sign, mark in MARKS.items()}
        self.table = WordTable(whole, room=_MAX_LEARNED)
        self._whole = whole  # words that are one token
        self._learned: dict[bytes, tuple[int, ...]] = {}  # others; the table knows most of both
        unknown = vocabulary.get(tokenizer.model.unk_token, 0)
        ideographs = map(chr, range(_FIRST_IDEOGRAPH, _FIRST_IDEOGRAPH + _N_IDEOGRAPHS))
        self._ideographs = np.array([vocabulary.get(sign, unknown) for sign in ideographs], dtype=np.int64)
        self._row_size = 1 << (tokenizer.get_vocab_size() - 1).bit_length()

    def count(self, texts: Sequence[str]) -> TokenCounts:
        """Count the tokens of every text."""
        few = sum(map(len, texts)) <= _FEW
        if few and len(texts) == 1:
            return _counts_of_one(self._tokens(texts[0]))
        return self._counts([self._one_by_one(texts)] if few else self._at_once(texts), len(texts))

    def _one_by_one(self, texts: Sequence[str]) -> Integers:
        """The tokens of a few texts plus their texts' rows, text after text: each word is looked up by itself."""
        found = [self._tokens(text) for text in texts]
        tokens = np.array(list(chain.from_iterable(found)), dtype=np.int64)
        if len(texts) > 1:
            rows = np.arange(len(texts)) * self._row_size
            tokens += rows.repeat([len(of_text) for of_text in found])
        return tokens

    def _tokens(self, text: str) -> list[int]:
        """The tokens of one text, in any order."""
        plain, _, odd = part(text)
        words = WORDS.findall(plain)
        known = list(map(self._whole.get, words))
        tokens = [token for token in known if token is not None]
        if len(tokens) < len(known):
            new = [word for word, token in zip(words, known, strict=True) if token is None]
            learned = list(map(self._learned.get, new))
            if None in learned:
                cut = self._cut(dict.fromkeys(new))
                tokens += chain.from_iterable([cut[word] for word in new])
            else:
                tokens += chain.from_iterable([pieces for pieces in learned if pieces is not None])
        return tokens + self._read(odd) if odd else tokens

    def _at_once(self, texts: Sequence[str]) -> list[Integers]:
        """The tokens of many texts plus their texts' rows: all words are looked up together.

        Several arrays, in each of which text follows upon text.
        """
        parted = [part(text) for text in texts]
        folded = b"\0".join([b"", *(plain for plain, _, _ in parted), PADDING])
        starts, lengths = bounds(b"\0".join([b"", *(kinds for _, kinds, _ in parted), PADDING]))
        rows = self._rows([len(plain) for plain, _, _ in parted], starts)
        entries = self.table.find(folded, starts, lengths)
        is_new = entries == 0
        found = []
        if is_new.any():
            new, known = is_new.nonzero()[0], (~is_new).nonzero()[0]
            found.append(self._new_words(folded, rows.take(new), starts.take(new), lengths.take(new)))
            entries, rows = entries.take(known), rows.take(known)
        found += self.table.tokens(entries, rows)
        for row, (_, _, odd) in enumerate(parted):
            if odd:
                found.append(np.array(self._read(odd), dtype=np.int64) + row * self._row_size)
        return found

    def _read(self, odd: str) -> list[int]:
        """The tokens of pieces that are not plain: the tokenizer's, and one for each ideograph, wherever it stands."""
        right = self._put_right(odd)
        codes = np.frombuffer(right.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)  # (n_characters,)
        at = codes - _FIRST_IDEOGRAPH  # wraps around below the first
        is_ideograph = at < _N_IDEOGRAPHS
        if not is_ideograph.any():
            return self.ask(right)
        begun = is_ideograph.copy()  # of a run of ideographs, which becomes a blank
        begun[1:] &= ~is_ideograph[:-1]
        others = np.where(is_ideograph, ord(" "), codes)[begun | ~is_ideograph].astype(np.uint32)
        tokens: list[int] = self._ideographs.take(at[is_ideograph]).tolist()
        return tokens + self.ask(others.tobytes().decode("utf-32-le", "surrogatepass"))

    def _rows(self, sizes: Sequence[int], starts: Integers) -> Integers:
        """What to add to a word's tokens to tell whose they are, (n_words,)."""
        if len(sizes) == 1:
            return np.zeros(len(starts), dtype=np.int64)
        begins = np.array([0, *sizes]).cumsum() + np.arange(len(sizes) + 1)  # a blank goes before each text
        at = starts.searchsorted(begins)
        return (np.arange(len(sizes)) * self._row_size).repeat(at[1:] - at[:-1])

    def ask(self, text: str) -> list[int]:
        """The tokenizer's own tokens."""
        try:
            encoding = self.tokenizer.encode_batch_fast([text], add_special_tokens=False)[0]
        except (UnicodeEncodeError, TypeError):  # a lone surrogate is no character; read it as "?"
            readable = text.encode("utf-8", "replace").decode("utf-8")
            encoding = self.tokenizer.encode_batch_fast([readable], add_special_tokens=False)[0]
        ids: list[int] = encoding.ids
        return ids

    def pieces(self, word: bytes) -> tuple[int, ...]:
        """The tokenizer's tokens of one plain word: folded and cut it is already, and that takes most of `ask`."""
        return tuple([piece.id for piece in self.tokenizer.model.tokenize(word.decode())])

    def _counts(self, found: Sequence[Integers], n_texts: int) -> TokenCounts:
        """From tokens plus their texts' rows, in each array text after text."""
        tokens = np.concatenate(found) if len(found) > 1 else found[0]
        tokens = tokens.astype(np.int32 if n_texts * self._row_size < 1 << 31 else np.int64)
        tokens.sort()
        first = _is_first(tokens).nonzero()[0]
        distinct = tokens.take(first[:-1])
        row_ends = np.arange(1, n_texts + 1) * self._row_size
        return TokenCounts(
            tokens=distinct & (self._row_size - 1),
            counts=(first[1:] - first[:-1]).astype(np.float32),
            ends=tuple(distinct.searchsorted(row_ends).tolist()),
        )

    def _new_words(self, folded: bytes, rows: Integers, starts: Integers, lengths: Integers) -> Integers:
        """Tokens plus rows of words that are not in the table."""
        words = [folded[at : at + n] for at, n in zip(starts.tolist(), lengths.tolist(), strict=True)]
        cut = self._cut(dict.fromkeys(words))
        found: list[int] = []
        for (row, word), times in Counter(zip(rows.tolist(), words, strict=True)).items():
            found += [row + token for token in cut[word]] * times
        return np.array(found, dtype=np.int64)

    def _cut(self, words: Iterable[bytes]) -> Mapping[bytes, tuple[int, ...]]:
        """The tokens of each word; common words are remembered, what might be a secret or a number is not."""
        cut: dict[bytes, tuple[int, ...]] = {}
        new: list[bytes] = []
        for word in words:
            if (token := self._whole.get(word)) is not None:  # one that found no place in the table
                cut[word] = (token,)
            elif (tokens := self._learned.get(word)) is not None:
                cut[word] = tokens
            else:
                new.append(word)
        for word, meant in zip(new, self._meant(new), strict=True) if new else ():
            cut[word] = self.pieces(word) if meant is None else (meant,)
            if len(word) <= _LONGEST_LEARNED and word.isalpha() and len(self._learned) < _MAX_LEARNED:
                self._learned[word] = cut[word]
                self.table.learn(word, cut[word])
        return cut

    def _meant(self, words: Sequence[bytes]) -> Sequence[int | None]:
        return [None] * len(words) if self._spelling is None else self._spelling.tokens(words)

    def _put_right(self, text: str) -> str:
        """The text with its slips put right, for the tokenizer."""
        if self._spelling is None:
            return text
        words = {word.lower().encode() for word in _WORD.findall(text)}
        cut = self._cut([word for word in words if word not in self._whole])
        mended = {word.decode(): tokens[0] for word, tokens in cut.items() if len(tokens) == 1}
        right = {word: str(self.tokenizer.id_to_token(token)) for word, token in mended.items()}
        return _WORD.sub(lambda found: right.get(found.group().lower(), found.group()), text) if right else text


def _counts_of_one(tokens: list[int]) -> TokenCounts:
    """Of one short text: a request that comes alone finds the dictionary at hand, and ten array operations not."""
    counts = Counter(tokens)
    distinct = sorted(counts)
    return TokenCounts(
        tokens=np.array(distinct, dtype=np.int64),
        counts=np.array([counts[token] for token in distinct], dtype=np.float32),
        ends=(len(distinct),),
    )


def _is_first(tokens: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """Where another token begins in sorted ones, and one past the last, (n + 1,)."""
    is_first = np.ones(len(tokens) + 1, dtype=np.bool_)
    np.not_equal(tokens[1:], tokens[:-1], out=is_first[1:-1])
    return is_first


_WORD: Final = re.compile(r"\b[A-Za-z]{4,20}\b")
