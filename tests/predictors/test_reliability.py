import numpy as np
import pytest

from catalog import Backend, Measured, ModelProfile, Pool, PoolEntry
from predictors import reliability_of


def entry(measured: Measured) -> PoolEntry:
    profile = ModelProfile(id="x/m", name="m")
    return PoolEntry(
        profile=profile,
        backend=Backend(id="b", profile_id="x/m", kind="fake", provider="x", model_name="m", measured=measured),
    )


def test_thirty_failures_of_a_hundred_calls_are_a_fifth() -> None:
    found = reliability_of(Pool([entry(Measured(n_calls=100, error_rate=0.3))]))
    assert found.error_rate[0] == pytest.approx((0.5 + 30) / 150)
    assert found.error_rate_sd[0] == pytest.approx(np.sqrt(0.20333 * 0.79667 / 151), rel=1e-3)


def test_what_was_never_called_fails_once_in_a_hundred() -> None:
    pool = Pool([entry(Measured()), PoolEntry(profile=ModelProfile(id="x/n", name="n"))])
    np.testing.assert_allclose(reliability_of(pool).error_rate, [0.01, 0.01])


def test_one_failed_call_does_not_condemn_and_many_good_ones_reassure() -> None:
    one, many = Measured(n_calls=1, error_rate=1.0), Measured(n_calls=10_000, error_rate=0.0)
    found = reliability_of(Pool([entry(one), entry(many)]))
    assert found.error_rate[0] < 0.03
    assert found.error_rate[1] < 0.0001
    assert found.error_rate_sd[1] < found.error_rate_sd[0]
