"""What a model charges, and what a call costs. Every dollar in the system is computed here."""

from dataclasses import dataclass
from decimal import Decimal

from catalog.errors import InvalidPriceError
from catalog.records import record

__all__ = ["MOST_TOKENS", "RATES", "Price", "Usage"]

MOST_TOKENS = 10**15  # more than any window holds: a count beyond it is a mistake, and may not fit into an array

RATES = (
    "input_usd_per_mtok",
    "output_usd_per_mtok",
    "cached_input_usd_per_mtok",
    "cache_write_usd_per_mtok",
    "reasoning_usd_per_mtok",
    "search_usd_per_thousand",
)  # the fields of a price that are rates
_PER_MTOK = Decimal(1_000_000)
_PER_THOUSAND = Decimal(1_000)
_HOUR_WRITE_FACTOR = 2  # source: Anthropic's pricing page, prompt caching
_SEARCH_USD_PER_THOUSAND = Decimal(10)  # source: Anthropic's pricing page, web search; the same for all its models


@record
class Usage:
    """Tokens of one call, web searches that the provider made for it, and its bill, as the provider told them.

    `input_tokens` includes the cached and the cache-written ones, `output_tokens` includes the reasoning ones:
    OpenAI's convention. Readers of other dialects convert to it.
    """

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    hour_cache_write_tokens: int = 0  # of the cache-written ones, those that are kept for an hour, not for minutes
    web_searches: int = 0
    billed_usd: float | None = None  # what the provider says it charges, where it says so in dollars


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Published rates, in US dollars per million tokens; a rate that is not published is None.

    Web searches that the provider makes itself are told, as everywhere, in US dollars per thousand.
    Some providers charge a call whose input is longer than a limit at other rates throughout, its answer too: those
    are `long_context`, for inputs of more than `long_context_above_tokens`.
    """

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal
    cached_input_usd_per_mtok: Decimal | None = None
    cache_write_usd_per_mtok: Decimal | None = None
    reasoning_usd_per_mtok: Decimal | None = None
    search_usd_per_thousand: Decimal | None = None
    long_context: "Price | None" = None
    long_context_above_tokens: int | None = None

    def __post_init__(self) -> None:
        for name in RATES:
            rate = getattr(self, name)
            if rate is not None and not (rate.is_finite() and rate >= 0):
                raise InvalidPriceError(f"{name} must be a number that is not negative, not {rate}")
        if (self.long_context is None) != (self.long_context_above_tokens is None):
            raise InvalidPriceError("long_context and long_context_above_tokens must be given together")
        if self.long_context is not None and self.long_context.long_context is not None:
            raise InvalidPriceError("long_context must not have a long_context of its own")
        if self.long_context_above_tokens is not None and not 1 <= self.long_context_above_tokens <= MOST_TOKENS:
            told = f"{self.long_context_above_tokens!r:.40}"
            raise InvalidPriceError(f"long_context_above_tokens must be positive, at most {MOST_TOKENS:g}, not {told}")

    def at(self, input_tokens: float) -> "Price":
        """The rates of a call with so much input."""
        if self.long_context is None or self.long_context_above_tokens is None:
            return self
        return self.long_context if input_tokens > self.long_context_above_tokens else self

    def cost_usd(self, usage: Usage) -> Decimal:
        """Dollars owed for one call; tokens whose special rate is unknown are charged at the plain rate.

        What is kept in a cache for an hour costs twice the plain rate: that is Anthropic's rule for all its models, and
        nobody else sells it by the token. Searches whose rate is not published cost ten dollars a thousand: Anthropic's
        rate for all its models, and hardly anybody else counts them. A rate of its own for long inputs leaves theirs.
        """
        rates = self.at(usage.input_tokens)
        plain_input = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
        brief_writes = usage.cache_write_tokens - usage.hour_cache_write_tokens
        plain_output = usage.output_tokens - usage.reasoning_tokens
        owed = (
            plain_input * rates.input_usd_per_mtok
            + usage.cached_input_tokens * _first(rates.cached_input_usd_per_mtok, rates.input_usd_per_mtok)
            + brief_writes * _first(rates.cache_write_usd_per_mtok, rates.input_usd_per_mtok)
            + usage.hour_cache_write_tokens * _HOUR_WRITE_FACTOR * rates.input_usd_per_mtok
            + plain_output * rates.output_usd_per_mtok
            + usage.reasoning_tokens * _first(rates.reasoning_usd_per_mtok, rates.output_usd_per_mtok)
        )
        if not usage.web_searches:
            return owed / _PER_MTOK
        searched = usage.web_searches * _first(self.search_usd_per_thousand, _SEARCH_USD_PER_THOUSAND)
        return owed / _PER_MTOK + searched / _PER_THOUSAND


def _first(special: Decimal | None, plain: Decimal) -> Decimal:
    return plain if special is None else special
