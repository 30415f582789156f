import numpy as np
import pytest

from predictors.tools.aligned import at_cache_line


@pytest.mark.parametrize("skipped", [0, 1, 5])
def test_the_same_numbers_begin_at_a_cache_line(skipped: int) -> None:
    matrix = np.arange(80, dtype=np.float32)[skipped : skipped + 60].reshape(20, 3)
    aligned = at_cache_line(matrix)
    assert aligned.ctypes.data % 64 == 0
    assert np.array_equal(aligned, matrix)


def test_what_begins_there_already_is_not_copied() -> None:
    aligned = at_cache_line(np.ones((3, 2), dtype=np.float32))
    assert at_cache_line(aligned) is aligned


def test_no_rows_are_no_rows() -> None:
    assert at_cache_line(np.zeros((0, 4), dtype=np.float32)).shape == (0, 4)
