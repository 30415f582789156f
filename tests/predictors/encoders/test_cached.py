from collections.abc import Sequence

import numpy as np
import pytest

from predictors.encoders import CachedEncoder
from predictors.encoders.protocol import Vectors


class CountingEncoder:
    """Unit vectors from the text's length; remembers what it was asked."""

    name = "counting"
    dim = 2

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        angles = np.array([len(text) for text in texts], dtype=np.float32)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_a_text_is_encoded_once_also_within_one_batch() -> None:
    inner = CountingEncoder()
    cached = CachedEncoder(inner, max_entries=10)
    first = cached.encode(["a", "bb", "a"])
    again = cached.encode(["bb", "a", "ccc"])
    assert inner.asked == ["a", "bb", "ccc"]
    np.testing.assert_array_equal(first[[1, 0]], again[:2])


def test_the_least_recently_used_text_is_forgotten_first() -> None:
    inner = CountingEncoder()
    cached = CachedEncoder(inner, max_entries=2)
    for text in ("a", "bb", "a", "ccc", "a", "bb"):
        cached.encode([text])
    assert inner.asked == ["a", "bb", "ccc", "bb"]
    assert len(cached) == 2


def test_a_batch_larger_than_the_memory_is_answered_whole() -> None:
    cached = CachedEncoder(CountingEncoder(), max_entries=1)
    assert cached.encode(["a", "bb", "ccc"]).shape == (3, 2)
    assert len(cached) == 1


def test_what_is_returned_is_the_callers_to_change() -> None:
    cached = CachedEncoder(CountingEncoder())
    cached.encode(["a"])[:] = 7.0
    assert abs(float(np.linalg.norm(cached.encode(["a"])[0])) - 1.0) < 1e-6


def test_a_memory_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        CachedEncoder(CountingEncoder(), max_entries=0)
