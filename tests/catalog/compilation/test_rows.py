from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from catalog.compilation.rows import day_of, price_of, rank


def row(**facts: Any) -> dict[str, Any]:
    rates = ("price_in", "price_out", "price_cached_in", "price_cache_write")
    return {"source": "models.dev", "provider": "groq", **{f"{rate}_usd_per_mtok": None for rate in rates}, **facts}


def test_the_nearer_a_source_is_to_the_maker_the_earlier_it_is_asked() -> None:
    listed = [row(provider="(base)/openai"), row(provider="openai"), row(source="helm"), row(provider="groq")]
    assert [rank(each) for each in listed] == [0, 1, 4, 9]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2025-06-30", date(2025, 6, 30)),
        ("2025-06", date(2025, 6, 1)),
        ("2025", date(2025, 1, 1)),
        ("2025-13", None),
        ("soon", None),
        (None, None),
    ],
)
def test_a_bare_month_or_year_stands_for_its_first_day(text: str | None, day: date | None) -> None:
    assert day_of(text) == day


def test_rates_of_zero_are_not_stated_rather_than_free() -> None:
    assert price_of(row(price_in_usd_per_mtok=0.0, price_out_usd_per_mtok=0.0)) is None
    found = price_of(row(price_in_usd_per_mtok=0.1, price_out_usd_per_mtok=2.0))
    assert found is not None
    assert (found.input_usd_per_mtok, found.output_usd_per_mtok) == (Decimal("0.1"), Decimal(2))
