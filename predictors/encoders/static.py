"""The encoder that ships with the package: a table of token vectors, averaged. No torch, no network.

Every token of the vocabulary has one row, fitted by `predictors.encoders.distill` so that the weighted sum of a text's
rows points where all-MiniLM-L6-v2 would point; `data/MODEL_CARD.md` says how well.
"""

import json
import math
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import numpy.typing as npt

from predictors.errors import EncoderUnavailableError

from .protocol import Vectors
from .token_counts import TokenCounter
from .word_table import Integers

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["StaticEncoder"]

MANIFEST_FILE: Final = "static.json"
TABLE_FILE: Final = "static.npz"
TOKENIZER_FILE: Final = "tokenizer.json"
FORMAT: Final = 1
_MAX_CHARS: Final = 50_000  # the mean over so many tokens moves no more; bounds the time an endless prompt can cost
_AT_ONCE: Final = 64  # texts
_ROWS_AT_ONCE: Final = 2_000  # 2 MB in floats; more would outgrow the caches before they are used


class StaticEncoder:
    """Unit vectors from a table: exact, deterministic, about 10 microseconds for a short question among others.

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
        forgiving: bool = False,
    ) -> None:
        self.name = f"{name}+slips" if forgiving else name
        self.tokenizer = tokenizer  # a tokenizers.Tokenizer without truncation and padding
        self.table = table  # (n_tokens, dim)
        self.scale = scale  # (n_tokens,): a row's vector is scale * table
        self.empty = empty  # (dim,), a unit vector
        self.dim = int(table.shape[1])
        self._counter = TokenCounter(tokenizer, forgiving=forgiving)

    @classmethod
    def load(cls, path: Path | None = None, *, forgiving: bool = False) -> Self:
        """Read the three files of a folder that `distill` wrote; None reads the ones in the package.

        A forgiving one reads over typing slips (`TokenCounter`), and has a name of its own.

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
        return cls(
            name=manifest["name"], tokenizer=tokenizer, table=table, scale=scale, empty=empty, forgiving=forgiving
        )

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit rows, shape (n_texts, dim)."""
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)  # (n_texts, dim)
        read = [text[:_MAX_CHARS] for text in texts]
        if len(read) <= _AT_ONCE and 0 < sum(map(len, read)) <= _MAX_CHARS:
            self._encode(read, vectors)
            return vectors
        start = 0
        while start < len(texts):  # many at once, but not so many that their arrays would outgrow the caches
            sizes = np.cumsum([len(text) for text in read[start : start + _AT_ONCE]])
            end = start + max(1, int(np.searchsorted(sizes, _MAX_CHARS, side="right")))
            self._encode(read[start:end], vectors[start:end])
            start = end
        return vectors

    def _encode(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Write the unit row of each text; each is computed by itself, so that company changes no bit of it."""
        counted = self._counter.count(texts)
        weight = self.scale[counted.tokens] * np.sqrt(counted.counts)  # (n,): a word said four times says two
        together = self._rows(counted.tokens) if len(weight) <= _ROWS_AT_ONCE else None  # (n, dim)
        begin = 0
        for vector, end in zip(vectors, counted.ends, strict=True):
            rows = self._rows(counted.tokens[begin:end]) if together is None else together[begin:end]
            np.matmul(weight[begin:end], rows, out=vector)
            norm = math.sqrt(vector @ vector)
            if norm > 0.0:
                np.divide(vector, np.float32(norm), out=vector)
            else:
                vector[:] = self.empty
            begin = end

    def _rows(self, tokens: Integers) -> Vectors:
        """Of the table, (n_tokens, dim)."""
        return self.table.take(tokens, axis=0).astype(np.float32)
