"""What the fitted predictors read of a prompt: its encoding, and a few facts of its surface.

`Features.extract` is both end to end, (n, encoding + surface); `surface_of` the surface alone. `SURFACE_FEATURES` names
the columns with the mean and spread that they are standardised by. Layouts are taken out before anything is read. What
stands below counts bytes by class, which is quick.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from catalog import Floats

from .encoders.protocol import Encoder
from .layout import without_layout

__all__ = ["SURFACE_FEATURES", "Features", "surface_of"]

_Matrix = npt.NDArray[np.float64]

# Every feature with its mean and standard deviation over the prompts of the permissively licensed routing sets
# (23,391 distinct prompts of routellm, mmlu_pro, zeroeval, llmrouter and arena_bench_v1), as they were before layouts
# were taken out: they are but scales. New features are appended, so that a predictor which was fitted on the first few
# still reads these.
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
    "log_numbers": (1.1676, 1.3316),
    "log_distinct_numbers": (0.9851, 1.0892),
    "log_sentences": (1.1151, 0.7858),
    "log_commas": (0.8826, 0.9880),
    "log_distinct_words": (3.5314, 0.6476),
    "log_word_length": (1.9355, 0.1474),
    "comparing_words": (0.3156, 0.4778),
    "sharing_words": (0.2862, 0.4285),
    "counting_words": (0.2376, 0.4134),
    "units": (0.2135, 0.4160),
    "negations": (0.2192, 0.3845),
    "asking_words": (0.5935, 0.4398),
}
SURFACE_FEATURES: Final = tuple(_STANDARD)

_MEAN: Final = np.array([mean for mean, _ in _STANDARD.values()])  # (n_surface,)
_SD: Final = np.array([sd for _, sd in _STANDARD.values()])  # (n_surface,)
_CLIP: Final = 4.0  # standard deviations: one strange prompt must not be carried far outside what was seen
_MAX_CHARS: Final = 50_000

_N_SURFACE: Final = re.compile(r"\+surface(\d+)\.3$")  # at the end of a name

_CODE_WORDS: Final = ("def ", "class ", "import ", "return ", "function ", "SELECT ")
_CODE_SIGNS: Final = ("```", "#include", "</")
# What makes a word problem long-winded, and a question of knowledge tricky; of each kind the different words count.
_KINDS_OF_WORDS: Final = tuple(
    frozenset(words.encode().split())
    for words in (
        """more less fewer than times twice thrice half third quarter double triple as same larger smaller older younger
        faster slower longer shorter higher lower greater""",
        """each every per total altogether left remaining remain remains rest average sum difference equal equally both
        all together combined another""",
        """one two three four five six seven eight nine ten eleven twelve dozen twenty thirty fifty hundred thousand
        first second fourth fifth""",
        """dollar dollars cent cents euro euros percent second seconds minute minutes hour hours day days week weeks
        month months year years mile miles meter meters metre metres km cm mm kg gram grams kilogram kilograms inch
        inches foot feet yard yards gallon gallons liter liters litre litres ounce ounces degree degrees mph""",
        "not except never no neither nor none without unless cannot least incorrect false",
        "what which who whom whose why where how many much explain describe",
    )
)
_KINDS_OF_WORD: Final = {
    word: tuple(kind for kind, words in enumerate(_KINDS_OF_WORDS) if word in words)
    for word in frozenset().union(*_KINDS_OF_WORDS)
}
_OF_ANY_KIND: Final = frozenset(_KINDS_OF_WORD)
_LOGS: Final = tuple(map(math.log1p, range(max(map(len, _KINDS_OF_WORDS)) + 1)))
_LONG: Final = 500  # bytes, from which on arrays count words faster than bytes do
_WORDS_WITHIN: Final = 1_000  # bytes: a word problem is no longer, and to tell all words of a long text apart is dear


class Features:
    """Columns: the encoding's coordinates (a unit vector), then the surface features.

    A surface feature is standardised and divided by the square root of the encoding's dimension, so that all columns
    have about the same spread and one ridge penalty, or one distance, fits them all.

    What does not change a question does not change its features: letter case, white space, how options are marked and
    parted, what ends the name of a field, and, as far as the encoder forgives them, typing slips
    (docs/robustness.md has the measurements).
    """

    def __init__(self, encoder: Encoder, *, n_surface: int = len(SURFACE_FEATURES)) -> None:
        """`n_surface`: how many of `SURFACE_FEATURES`, from the first on."""
        self.encoder = encoder
        self.n_surface = n_surface

    @classmethod
    def named(cls, name: str, encoder: Encoder) -> Self:
        """Those that a predictor was fitted on, by the name it keeps; all there are where the name tells no number."""
        found = _N_SURFACE.search(name)
        return cls(encoder, n_surface=min(int(found[1]), len(SURFACE_FEATURES))) if found else cls(encoder)

    @property
    def name(self) -> str:
        """Names the encoder and the surface features; a fitted predictor insists on it."""
        return f"{self.encoder.name}+surface{self.n_surface}.3"

    @property
    def encoding_dim(self) -> int:
        """How many of the first columns are the encoding."""
        return self.encoder.dim

    @property
    def dim(self) -> int:
        """Number of columns."""
        return self.encoder.dim + self.n_surface

    def begin(self, other: "Features") -> bool:
        """Whether the other ones' first columns are these: then a text need be read only once for both."""
        return self.encoder.name == other.encoder.name and self.n_surface <= other.n_surface

    def extract(self, texts: Sequence[str]) -> _Matrix:
        """Features of every text, shape (n_texts, dim)."""
        read = [without_layout(text[:_MAX_CHARS]) for text in texts]
        features = np.empty((len(texts), self.dim))  # (n_texts, dim)
        features[:, : self.encoding_dim] = self.encoder.encode([text for text, _ in read])
        if texts:
            n = self.n_surface
            standard = (_surfaces(read, n_surface=n) - _MEAN[:n]) / _SD[:n]  # (n_texts, n_surface)
            standard = np.minimum(np.maximum(standard, -_CLIP), _CLIP)
            features[:, self.encoding_dim :] = standard / math.sqrt(self.encoding_dim)
        return features


def surface_of(text: str) -> Floats:
    """All raw surface features of a text, in the order of `SURFACE_FEATURES`."""
    surface: Floats = _surfaces([without_layout(text[:_MAX_CHARS])])[0]
    return surface


def _surfaces(read: Sequence[tuple[str, int]], *, n_surface: int = len(SURFACE_FEATURES)) -> _Matrix:
    """The first features of texts without their options' marks, and how many these were, (n_texts, n_surface).

    A share is per character, the rest are log(1 + count). Any run of white space counts as one blank, and lines
    without a word do not count.
    """
    rows = []
    for (text, n_marks), counts in zip(read, _class_counts([text for text, _ in read]), strict=True):
        blanked, n_words, n_characters = _spread(text)
        length = max(n_characters, 1)
        n_lines = sum(map(bool, map(str.strip, text.split("\n")))) if "\n" in text else 1
        folded = blanked.translate(_FOLDED)
        *shares, n_commas = counts
        row = [
            math.log1p(length),
            math.log1p(max(n_words - 1, 0)),
            math.log1p(max(n_lines - 1, 0)),
            *[count / length for count in shares],
            math.log1p(n_marks),
            math.log1p(_code_marks(text)),
            float(b"json" in folded),
        ]
        if n_surface > len(row):  # a third of the work, for those who were fitted on it
            numbers = blanked.translate(_DIGITS).split()
            words = set(folded[:_WORDS_WITHIN].split())
            row += [
                math.log1p(len(numbers)),
                math.log1p(len(set(numbers))),
                math.log1p(_n_sentences(blanked)),
                math.log1p(n_commas),
                math.log1p(len(words)),
                math.log1p(length / max(n_words, 1)),
                *_kinds_among(words),
            ]
        rows.append(row[:n_surface])
    return np.array(rows)


def _kinds_among(words: set[bytes]) -> list[float]:
    """Of each kind of words, log(1 + how many there are)."""
    found = [0] * len(_KINDS_OF_WORDS)
    for word in _OF_ANY_KIND & words:
        for kind in _KINDS_OF_WORD[word]:
            found[kind] += 1
    return [_LOGS[n] for n in found]


def _code_marks(text: str) -> int:
    found = sum(map(text.count, _CODE_WORDS))
    if "`" in text or "#" in text or "<" in text:
        found += sum(map(text.count, _CODE_SIGNS))
    return found


def _n_sentences(blanked: bytes) -> int:
    """How many ends of a sentence there are before a blank, in a text whose white space is blanks."""
    return blanked.translate(_ENDS).count(b". ")


def _spread(text: str) -> tuple[bytes, int, int]:
    """The text in UTF-8 with blanks for white space, its words, and its characters were all words one blank apart."""
    if not text.isascii():
        return _spread_beyond_ascii(text)
    blanked = text.encode().translate(_WHITE).strip()
    if len(blanked) > _LONG:
        ink = np.frombuffer(blanked, dtype=np.uint8) != ord(" ")
        n_words, n_ink = 1 + int(np.count_nonzero(ink[1:] > ink[:-1])), int(np.count_nonzero(ink))
    else:
        n_words, n_ink = (b" " + blanked.translate(_INK)).count(b" #"), len(blanked) - blanked.count(b" ")
    return blanked, n_words, n_ink + max(n_words - 1, 0)


def _spread_beyond_ascii(text: str) -> tuple[bytes, int, int]:
    if len(text) < _LONG or any(map(text.__contains__, _WIDE_BLANKS)):
        words = text.split()
        flat = " ".join(words)
        return flat.encode("utf-8", "surrogatepass"), len(words), len(flat)
    blanked = text.encode("utf-8", "surrogatepass").translate(_WHITE).strip()
    letters = np.frombuffer(blanked, dtype=np.uint8)
    kept = letters != ord(" ")
    n_words = 1 + int(np.count_nonzero(kept[1:] > kept[:-1]))
    kept[1:] |= kept[:-1]  # and the first blank behind a word
    flat_letters = letters[kept]
    return flat_letters.tobytes(), n_words, int(np.count_nonzero((flat_letters & 0xC0) != 0x80))


def _class_counts(texts: Sequence[str]) -> list[list[float]]:
    """How many bytes of each class each text has in UTF-8, (n_texts, n_classes)."""
    return [_of_each_class(text.encode("utf-8", "surrogatepass")) for text in texts]


def _of_each_class(as_bytes: bytes) -> list[float]:
    if len(as_bytes) < _LONG and as_bytes.isascii():  # of no two classes at once
        found = as_bytes.translate(_CLASS)
        return [float(found.count(sign)) for sign in _CLASS_SIGNS]
    counts = np.bincount(np.frombuffer(as_bytes, dtype=np.uint8), minlength=256)  # (256,)
    of_each: list[float] = (counts @ _CLASSES).tolist()
    return of_each


def _only(kept: Mapping[bytes, bytes], *, other: bytes) -> bytes:
    """A table for `bytes.translate`: what stands for the members of each kind, and for all else."""
    table = bytearray(other * 256)
    for members, sign in kept.items():
        for member in members:
            table[member] = sign[0]
    return bytes(table)


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
        b",",
    ]
    classes = np.zeros((256, len(members)))
    for column, byte_values in enumerate(members):
        classes[list(byte_values), column] = 1.0
    return classes


_CLASSES: Final = _byte_classes()
_CLASS_SIGNS: Final = tuple(range(1, _CLASSES.shape[1] + 1))
_CLASS: Final = bytes(int(row.argmax()) + 1 if row.any() else 0 for row in _CLASSES)  # by byte, 0 for none
_BLANKS: Final = b" \t\n\v\f\r\x1c\x1d\x1e\x1f"  # what `str.split` splits at, in ASCII
_WHITE: Final = bytes.maketrans(_BLANKS, b" " * len(_BLANKS))
_WIDE_BLANKS: Final = tuple(sign for sign in map(chr, range(0x80, 0x3001)) if sign.isspace())
_INK: Final = _only({b" ": b" "}, other=b"#")
_DIGITS: Final = bytes(v if v in b"0123456789" else 0x20 for v in range(256))
_ENDS: Final = _only({b".?!": b".", b" ": b" "}, other=b"#")
_FOLDED: Final = bytes(v if v >= 0x80 or bytes((v,)).isalnum() else 0x20 for v in bytes(range(256)).lower())
