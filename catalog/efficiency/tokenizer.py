"""How much text a token holds: what makes one dollar per million tokens cheap at one model and dear at another.

    text size = mean over texts of 8 x UTF-8 bytes / tokens      (bits per token; the TS of information capacity)

Source: Yuan et al., Information Capacity, arXiv 2511.08066, whose code leaves each text's first token out and rounds
the mean to two decimals; here all tokens count and nothing is rounded. The price per megabyte of text is ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from catalog.errors import InvalidMeasurementError

__all__ = ["Tokenizer", "price_per_megabyte", "text_size_bits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokenizer:
    """One measured tokenizer. Parts are languages and kinds of text."""

    name: str
    vocab: int
    bytes_per_token: Mapping[str, float]  # by part of the text
    tokens_of_reference: float  # tokens it makes of English, code, maths and JSON, by those of cl100k
    measured_from: str  # the package whose files were measured

    @property
    def bits_per_token(self) -> float:
        """Text size over all parts, each counting alike."""
        return 8.0 * sum(self.bytes_per_token.values()) / len(self.bytes_per_token)


def text_size_bits(texts: Sequence[str], tokens: Sequence[int]) -> float:
    """Mean bits of text per token, texts counting alike whatever their length.

    Raises:
        InvalidMeasurementError: there are no texts, or a text has no tokens.
    """
    if not texts or len(texts) != len(tokens) or min(tokens) <= 0:
        raise InvalidMeasurementError("every text needs its number of tokens, one or more")
    return sum(8.0 * len(t.encode()) / n for t, n in zip(texts, tokens, strict=True)) / len(texts)


def price_per_megabyte(usd_per_mtok: Decimal, *, bits_per_token: float) -> float:
    """Dollars for a million bytes of text at this rate per million tokens."""
    if not bits_per_token > 0:
        raise InvalidMeasurementError(f"bits per token must be positive, not {bits_per_token}")
    return float(usd_per_mtok) * 8.0 / bits_per_token
