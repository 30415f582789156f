from decimal import Decimal

import pytest

from catalog import InvalidMeasurementError
from catalog.efficiency.tokenizer import Tokenizer, price_per_megabyte, text_size_bits


def test_text_size_counts_every_text_alike() -> None:
    # 10 bytes in 2 tokens are 40 bits each; 6 bytes (two characters) in 3 tokens are 16: mean 28
    assert text_size_bits(["a" * 10, "港口"], [2, 3]) == 28.0


def test_a_text_without_tokens_is_refused() -> None:
    with pytest.raises(InvalidMeasurementError, match="one or more"):
        text_size_bits(["a"], [0])


def test_a_fuller_token_makes_the_same_rate_cheaper() -> None:
    # $3 per million tokens of 4 bytes is $0.75 per million bytes
    assert price_per_megabyte(Decimal(3), bits_per_token=32.0) == 0.75
    assert price_per_megabyte(Decimal(3), bits_per_token=40.0) == 0.6


def test_a_tokenizers_size_is_the_mean_over_its_parts() -> None:
    told = Tokenizer(
        name="a", vocab=10, bytes_per_token={"english": 4.0, "code": 3.0}, tokens_of_reference=1.0, measured_from="b 1"
    )
    assert told.bits_per_token == 28.0
