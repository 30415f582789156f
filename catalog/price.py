"""What a model charges, and what a call costs. Every dollar in the system is computed here."""

from dataclasses import dataclass
from decimal import Decimal

from .errors import InvalidPriceError

__all__ = ["Price", "Usage"]

_PER_MTOK = Decimal(1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call, as the provider counted them.

    `input_tokens` includes the cached and the cache-written ones, `output_tokens` includes the reasoning ones:
    OpenAI's convention. Readers of other dialects convert to it.
    """

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Published rates, in US dollars per million tokens; a rate that is not published is None."""

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal
    cached_input_usd_per_mtok: Decimal | None = None
    cache_write_usd_per_mtok: Decimal | None = None
    reasoning_usd_per_mtok: Decimal | None = None

    def __post_init__(self) -> None:
        for name in self.__slots__:
            rate = getattr(self, name)
            if rate is not None and not (rate.is_finite() and rate >= 0):
                raise InvalidPriceError(f"{name} must be a number that is not negative, not {rate}")

    def cost_usd(self, usage: Usage) -> Decimal:
        """Dollars owed for one call; tokens whose special rate is unknown are charged at the plain rate."""
        plain_input = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
        plain_output = usage.output_tokens - usage.reasoning_tokens
        owed = (
            plain_input * self.input_usd_per_mtok
            + usage.cached_input_tokens * _first(self.cached_input_usd_per_mtok, self.input_usd_per_mtok)
            + usage.cache_write_tokens * _first(self.cache_write_usd_per_mtok, self.input_usd_per_mtok)
            + plain_output * self.output_usd_per_mtok
            + usage.reasoning_tokens * _first(self.reasoning_usd_per_mtok, self.output_usd_per_mtok)
        )
        return owed / _PER_MTOK


def _first(special: Decimal | None, plain: Decimal) -> Decimal:
    return plain if special is None else special
