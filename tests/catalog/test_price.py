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


def test_an_unknown_special_rate_is_the_plain_rate() -> None:
    price = Price(input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(8))
    usage = Usage(input_tokens=1_000_000, output_tokens=1_000_000, cached_input_tokens=900_000, reasoning_tokens=5)
    assert price.cost_usd(usage) == Decimal(10)


@pytest.mark.parametrize("rate", ["-1", "NaN", "Infinity"])
def test_an_impossible_rate_is_refused(rate: str) -> None:
    with pytest.raises(InvalidPriceError, match="input_usd_per_mtok"):
        Price(input_usd_per_mtok=Decimal(rate), output_usd_per_mtok=Decimal(1))
