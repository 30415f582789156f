import math

import pytest

from catalog import InvalidProfileError
from catalog.efficiency.information_capacity import information_capacity, sibling_nll_bits


def test_capacity_of_the_worked_example() -> None:
    capacity = information_capacity(text_size_bits=33.5, nll_bits=2.6, flops_per_token=15_437_889_536)
    assert capacity == pytest.approx(0.20387, abs=5e-6)  # (33.5 - 2.6 - 24) / 33.8458


def test_a_sibling_predicted_from_its_series_gives_the_series_capacity_back() -> None:
    nll = sibling_nll_bits(text_size_bits=33.5, capacity=0.1765, flops_per_token=1.52775e10)
    assert information_capacity(text_size_bits=33.5, nll_bits=nll, flops_per_token=1.52775e10) == pytest.approx(0.1765)


def test_llama_8b_is_predicted_from_3b_within_five_hundredths_of_a_bit() -> None:
    told = sibling_nll_bits(text_size_bits=33.5, capacity=0.1765, flops_per_token=1.52775e10)
    true = sibling_nll_bits(text_size_bits=33.5, capacity=0.1778, flops_per_token=1.52775e10)
    assert told - true == pytest.approx(0.0013 * math.log2(1.52775e10))  # 0.044 bits


def test_no_operations_are_refused() -> None:
    with pytest.raises(InvalidProfileError, match="above 1"):
        information_capacity(text_size_bits=33.5, nll_bits=2.6, flops_per_token=0)
