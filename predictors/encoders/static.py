"""The encoder that ships with the package: a table of token vectors, averaged. No torch, no network.

Every token of the vocabulary has one row, fitted by `predictors.encoders.distill` so that the weighted sum of a text's
rows points where all-MiniLM-L6-v2 would point; `data/MODEL_CARD.md` says how well.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import numpy.typing as npt

from predictors.errors import EncoderUnavailableError

from .protocol import Vectors

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["StaticEncoder"]

MANIFEST_FILE: Final = "static.json"
TABLE_FILE: Final = "static.npz"
TOKENIZER_FILE: Final = "tokenizer.json"
FORMAT: Final = 1
_WORDS: Final = re.compile(r"[a-z0-9]+|[^a-z0-9 \t\n\r]")
_CONTROLS: Final = bytes({*range(32), 127} - set(b"\t\n\r"))
_MAX_WORDS: Final = 20_000  # about 2 MB
_LONGEST_WORD: Final = 20
_MAX_CHARS: Final = 50_000  # the mean over so many tokens moves no more; bounds the time an endless prompt can cost


class StaticEncoder:
    """Unit vectors from a table: exact, deterministic, about 20 microseconds for a short question.

    Texts beyond 50,000 characters are read up to there (`predictors.reading` shortens prompts long before).
    The empty text has a vector of its own: the teacher's for nothing.
    """

    def __init__(
        self,
        *,
        name: str,
        tokenizer: "Tokenizer",
        table: npt.NDArray[np.int8],
        scale: npt.NDArray[np.float32],
        empty: Vectors,
    ) -> None:
        self.name = name
        self.tokenizer = tokenizer  # a tokenizers.Tokenizer without truncation and padding
        self.table = table  # (n_tokens, dim)
        self.scale = scale  # (n_tokens,): a row's vector is scale * table
        self.empty = empty  # (dim,), a unit vector
        self.dim = int(table.shape[1])
        self._whole = {
            token: number
            for token, number in tokenizer.get_vocab().items()
            if token.isascii() and (token.isalnum() or len(token) == 1)
        }
        self._pieces: dict[str, tuple[int, ...]] = {}  # of words that are several tokens

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read the three files of a folder that `distill` wrote; None reads the ones in the package.

        Raises:
            EncoderUnavailableError: a file is missing, damaged or of another format.
        """
        from tokenizers import Tokenizer  # noqa: PLC0415 - importing the package must not pay for it

        folder = path if path is not None else Path(str(files(__package__) / "data"))
        try:
            manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
            tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
            with np.load(folder / TABLE_FILE, allow_pickle=False) as arrays:
                table, scale, empty = arrays["table"], arrays["scale"].astype(np.float32), arrays["empty"]
        except (OSError, ValueError, KeyError) as exc:
            raise EncoderUnavailableError(
                f"{folder}: no static encoder can be read here ({exc}); reinstall the package, "
                "or make one with `python -m predictors.encoders.distill --out DIR`"
            ) from exc
        if manifest.get("format") != FORMAT:
            raise EncoderUnavailableError(
                f"{folder / MANIFEST_FILE}: format {manifest.get('format')!r} is not {FORMAT}; "
                "make the encoder again with `python -m predictors.encoders.distill --out DIR`"
            )
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return cls(name=manifest["name"], tokenizer=tokenizer, table=table, scale=scale, empty=empty)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit rows, shape (n_texts, dim)."""
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)  # (n_texts, dim)
        for row, text in enumerate(texts):
            vectors[row] = self._encode_one(text)
        return vectors

    def _encode_one(self, text: str) -> Vectors:
        count_of = self._token_counts(text[:_MAX_CHARS])
        if not count_of:
            return self.empty
        tokens = sorted(count_of)  # sums of floats depend on their order
        counts = np.array([count_of[token] for token in tokens], dtype=np.float32)  # (n_distinct,)
        weight = self.scale[tokens] * np.sqrt(counts)  # (n_distinct,): a word said four times says two
        vector: Vectors = weight @ self.table[tokens].astype(np.float32)  # (dim,)
        norm = float(np.sqrt(vector @ vector))
        return vector / np.float32(norm) if norm > 0.0 else self.empty

    def _token_counts(self, text: str) -> dict[int, int]:
        """How often each token is in the text."""
        if not text.isascii() or _has_control(text):  # which the tokenizer drops from within words
            return Counter(self._ask_tokenizer(text))
        # In ASCII the tokenizer's words are runs of letters and digits, and single other signs. Most words are one
        # token, found in a dictionary at a third of the tokenizer's price, and few words make up a long text; only
        # what is not in the dictionary needs to be cut: first at the signs, then, what is left, by the tokenizer.
        counts: dict[int, int] = {}
        mixed = self._look_up(text.lower().split(), counts)
        unknown = self._look_up(_WORDS.findall(" ".join(mixed)), counts) if mixed else ()
        for word, times in Counter(unknown).items():
            for token in self._cut(word):
                counts[token] = counts.get(token, 0) + times
        return counts

    def _cut(self, word: str) -> tuple[int, ...]:
        """The tokens of a word; common words are remembered, what might be a secret or a number is not."""
        tokens = self._pieces.get(word)
        if tokens is None:
            tokens = tuple(self._ask_tokenizer(word))
            if len(self._pieces) < _MAX_WORDS and len(word) <= _LONGEST_WORD and word.isalpha():
                self._pieces[word] = tokens
        return tokens

    def _look_up(self, words: list[str], counts: dict[int, int]) -> list[str]:
        """Count the words that are tokens; gives back the others."""
        others: list[str] = []
        for word, times in Counter(words).items():
            token = self._whole.get(word)
            if token is None:
                others += [word] * times
            else:
                counts[token] = counts.get(token, 0) + times
        return others

    def _ask_tokenizer(self, text: str) -> list[int]:
        try:
            encoding = self.tokenizer.encode_batch_fast([text], add_special_tokens=False)[0]
        except (UnicodeEncodeError, TypeError):  # a lone surrogate is no character; read it as "?"
            readable = text.encode("utf-8", "replace").decode("utf-8")
            encoding = self.tokenizer.encode_batch_fast([readable], add_special_tokens=False)[0]
        ids: list[int] = encoding.ids
        return ids


def _has_control(text: str) -> bool:
    as_bytes = text.encode()
    return len(as_bytes.translate(None, _CONTROLS)) != len(as_bytes)
