from decimal import Decimal

import pytest

from catalog import InvalidPriceError, Price, Usage


def test_a_call_costs_its_tokens_at_the_published_rates() -> None:
    price = Price(input_usd_per_mtok=Decimal(3), output_usd_per_mtok=Decimal(15))
    cost = price.cost_usd(Usage(input_tokens=1_000, output_tokens=200))
    assert cost == Decimal("0.006")  # 1,000 x $3/M + 200 x $15/M


def test_cached_and_written_tokens_have_their_own_rates() -> None:
    price = Price(
        input_usd_per_mtok=Decimal(3),
        output_usd_per_mtok=Decimal(15),
        cached_input_usd_per_mtok=Decimal("0.3"),
        cache_write_usd_per_mtok=Decimal("3.75"),
    )
    usage = Usage(input_tokens=1_000_000, output_tokens=0, cached_input_tokens=500_000, cache_write_tokens=100_000)
    assert price.cost_usd(usage) == Decimal("1.725")  # 0.4 M x 3 + 0.5 M x 0.3 + 0.1 M x 3.75


def test_what_is_kept_in_a_cache_for_an_hour_costs_twice_the_input() -> None:
    price = Price(
        input_usd_per_mtok=Decimal(3), output_usd_per_mtok=Decimal(15), cache_write_usd_per_mtok=Decimal("3.75")
    )
    usage = Usage(input_tokens=1_000_000, output_tokens=0, cache_write_tokens=300_000, hour_cache_write_tokens=200_000)
    assert price.cost_usd(usage) == Decimal("3.675")  # 0.7 M x 3 + 0.1 M x 3.75 + 0.2 M x 6


def test_web_searches_are_charged_by_the_thousand_at_ten_dollars_where_no_rate_is_published() -> None:
    long = Price(input_usd_per_mtok=Decimal(6), output_usd_per_mtok=Decimal(15))
    price = Price(
        input_usd_per_mtok=Decimal(3),
        output_usd_per_mtok=Decimal(15),
        search_usd_per_thousand=Decimal(14),
        long_context=long,
        long_context_above_tokens=200_000,
    )
    assert price.cost_usd(Usage(input_tokens=1_000, output_tokens=0, web_searches=3)) == Decimal("0.045")
    assert price.cost_usd(Usage(input_tokens=1_000_000, output_tokens=0, web_searches=3)) == Decimal("6.042")
    assert long.cost_usd(Usage(input_tokens=0, output_tokens=0, web_searches=3)) == Decimal("0.03")


def test_an_unknown_special_rate_is_the_plain_rate() -> None:
    price = Price(input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(8))
    usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000, cached_input_tokens=900_000, reasoning_tokens=5)
    assert price.cost_usd(usage) == Decimal(10)


@pytest.mark.parametrize("rate", ["-1", "NaN", "Infinity"])
def test_an_impossible_rate_is_refused(rate: str) -> None:
    with pytest.raises(InvalidPriceError, match="input_usd_per_mtok"):
        Price(input_usd_per_mtok=Decimal(rate), output_usd_per_mtok=Decimal(1))


LONG = Price(input_usd_per_mtok=Decimal(6), output_usd_per_mtok=Decimal("22.5"))
SURCHARGED = Price(
    input_usd_per_mtok=Decimal(3),
    output_usd_per_mtok=Decimal(15),
    long_context=LONG,
    long_context_above_tokens=200_000,
)


def test_a_long_input_is_charged_at_the_rates_of_long_inputs_throughout() -> None:
    at_the_limit = Usage(input_tokens=200_000, output_tokens=1_000)
    beyond = Usage(input_tokens=300_000, output_tokens=1_000, cached_input_tokens=100_000)
    assert SURCHARGED.cost_usd(at_the_limit) == Decimal("0.615")  # 0.2 M x 3 + 0.001 M x 15
    assert SURCHARGED.cost_usd(beyond) == Decimal("1.8225")  # 0.3 M x 6 + 0.001 M x 22.5; no rate for cached ones


def test_rates_of_long_inputs_come_with_their_limit_and_are_the_last() -> None:
    rates = {"input_usd_per_mtok": Decimal(1), "output_usd_per_mtok": Decimal(1)}
    with pytest.raises(InvalidPriceError, match="together"):
        Price(**rates, long_context=LONG)
    with pytest.raises(InvalidPriceError, match="of its own"):
        Price(**rates, long_context=SURCHARGED, long_context_above_tokens=100)
    with pytest.raises(InvalidPriceError, match="positive"):
        Price(**rates, long_context=LONG, long_context_above_tokens=0)
