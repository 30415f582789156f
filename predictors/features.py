"""What the fitted predictors read of a prompt: its encoding, and a few facts of its surface."""

import math
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from catalog import Floats

from .encoders.protocol import Encoder

__all__ = ["SURFACE_FEATURES", "Features", "surface_of"]

_Matrix = npt.NDArray[np.float64]

# Every feature with its mean and standard deviation over the prompts of the permissively licensed routing sets
# (23,391 distinct prompts of routellm, mmlu_pro, zeroeval, llmrouter and arena_bench_v1).
_STANDARD: Final = {
    "log_characters": (5.6353, 0.8853),
    "log_words": (3.8525, 0.8671),
    "log_lines": (1.6220, 0.9018),
    "digits": (0.0410, 0.0719),
    "non_ascii": (0.0017, 0.0086),
    "cjk": (0.0, 0.05),  # all but absent there; a whole Chinese prompt should stand out, not explode
    "latex": (0.0065, 0.0195),
    "operators": (0.0063, 0.0147),
    "code_marks": (0.0077, 0.0232),
    "question_marks": (0.0030, 0.0045),
    "quotes": (0.0022, 0.0075),
    "blanks": (0.0019, 0.0086),
    "log_options": (1.4503, 0.9132),
    "code_words": (0.0694, 0.2541),
    "asks_for_json": (0.0230, 0.1499),
}
SURFACE_FEATURES: Final = tuple(_STANDARD)

_MEAN: Final = np.array([mean for mean, _ in _STANDARD.values()])  # (n_surface,)
_SD: Final = np.array([sd for _, sd in _STANDARD.values()])  # (n_surface,)
_CLIP: Final = 4.0  # standard deviations: one strange prompt must not be carried far outside what was seen
_MAX_CHARS: Final = 50_000

# The mark of an option or of an item of a list, at the beginning of a line: "A. ", "(b) ", "[3] ", "iv) ".
_MARK: Final = re.compile(
    r"\n[ \t]*(?:\(?(?:[A-La-l]|\d{1,2}|[ivxIVX]{1,4}) ?[.):]|[\[<](?:[A-La-l]|\d{1,2}|[ivxIVX]{1,4})[\]>])[ \t]"
)
_CODE_WORDS: Final = ("```", "def ", "class ", "import ", "return ", "function ", "#include", "SELECT ", "</")


class Features:
    """Columns: the encoding's coordinates (a unit vector), then the surface features.

    A surface feature is standardised and divided by the square root of the encoding's dimension, so that all columns
    have about the same spread and one ridge penalty, or one distance, fits them all.

    What does not change a question does not change its features: letter case, white space, how options are marked,
    and, as far as the encoder forgives them, typing slips (docs/quality.md has the measurements).
    """

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder

    @property
    def name(self) -> str:
        """Names the encoder and this list of surface features; a fitted predictor insists on it."""
        return f"{self.encoder.name}+surface{len(SURFACE_FEATURES)}.2"

    @property
    def encoding_dim(self) -> int:
        """How many of the first columns are the encoding."""
        return self.encoder.dim

    @property
    def n_surface(self) -> int:
        """How many of the last columns are surface features."""
        return len(SURFACE_FEATURES)

    @property
    def dim(self) -> int:
        """Number of columns."""
        return self.encoder.dim + len(SURFACE_FEATURES)

    def extract(self, texts: Sequence[str]) -> _Matrix:
        """Features of every text, shape (n_texts, dim)."""
        read = [_MARK.subn("\n", text[:_MAX_CHARS]) for text in texts]
        features = np.empty((len(texts), self.dim))  # (n_texts, dim)
        features[:, : self.encoding_dim] = self.encoder.encode([text for text, _ in read])
        if texts:
            standard = np.minimum(np.maximum((_surfaces(read) - _MEAN) / _SD, -_CLIP), _CLIP)  # (n_texts, n_surface)
            features[:, self.encoding_dim :] = standard / math.sqrt(self.encoding_dim)
        return features


def surface_of(text: str) -> Floats:
    """The raw surface features of a text, shape (n_surface,), in the order of `SURFACE_FEATURES`."""
    surface: Floats = _surfaces([_MARK.subn("\n", text[:_MAX_CHARS])])[0]
    return surface


def _surfaces(read: Sequence[tuple[str, int]]) -> _Matrix:
    """Of texts without their options' marks, and how many these were, (n_texts, n_surface).

    A share is per character, the rest are log(1 + count). Any run of white space counts as one blank, and lines
    without a word do not count.
    """
    rows = []
    for (text, n_marks), shares in zip(read, _class_counts([text for text, _ in read]), strict=True):
        words = text.split()
        length = max(len(" ".join(words)), 1)
        n_lines = sum(map(bool, map(str.strip, text.split("\n")))) if "\n" in text else 1
        rows.append(
            (
                math.log1p(length),
                math.log1p(max(len(words) - 1, 0)),
                math.log1p(max(n_lines - 1, 0)),
                *[share / length for share in shares],
                math.log1p(n_marks),
                math.log1p(sum(map(text.count, _CODE_WORDS))),
                float("json" in text.lower()),
            )
        )
    return np.array(rows)


def _class_counts(texts: Sequence[str]) -> list[list[float]]:
    """How many bytes of each class each text has in UTF-8, (n_texts, n_classes)."""
    counts = np.empty((len(texts), 256))  # (n_texts, 256)
    for row, text in enumerate(texts):
        as_bytes = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
        counts[row] = np.bincount(as_bytes, minlength=256)
    found: list[list[float]] = (counts @ _CLASSES).tolist()
    return found


def _byte_classes() -> _Matrix:
    """Which byte counts for which class, shape (256, n_classes)."""
    members = [
        b"0123456789",
        bytes(range(0xC2, 0xF5)),  # the first byte of every character beyond ASCII
        bytes(range(0xE3, 0xEE)),  # ... of one from the kana to the hangul syllables
        b"\\$^",
        b"+-*/=<>|",
        b"{}[]();`#",
        b"?",
        b"\"'",
        b"_",
    ]
    classes = np.zeros((256, len(members)))
    for column, byte_values in enumerate(members):
        classes[list(byte_values), column] = 1.0
    return classes


_CLASSES: Final = _byte_classes()
