import numpy as np
import pytest

from predictors.tools.channels.products import products


@pytest.mark.parametrize(("n_left", "n_right"), [(0, 5), (1, 9_000), (3, 7), (4, 1_000), (9, 2_225), (40, 1_000)])
def test_every_product_is_there_in_however_many_parts_it_is_made(n_left: int, n_right: int) -> None:
    rng = np.random.default_rng(0)
    left = rng.normal(size=(n_left, 256)).astype(np.float32)
    right = rng.normal(size=(n_right, 256)).astype(np.float32)
    found = products(left, right)
    assert found.shape == (n_left, n_right)
    assert found.flags.c_contiguous
    assert found == pytest.approx(left @ right.T, abs=1e-3)
