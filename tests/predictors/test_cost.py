from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from catalog import Backend, Measured, ModelProfile, Pool, PoolEntry, Price, Usage
from predictors.cost import BoundCost, input_token_ratio

PRICE = Price(input_usd_per_mtok=Decimal(3), output_usd_per_mtok=Decimal(15), cached_input_usd_per_mtok=Decimal("0.3"))


def entry(*, price: Price | None = PRICE, ratio: float | None = None, per_char: float | None = None) -> PoolEntry:
    profile = ModelProfile(id="x/m", name="m", price=price, tokens_per_char=per_char)
    measured = Measured(n_calls=100, input_token_ratio=ratio)
    backend = Backend(id="b", profile_id="x/m", kind="fake", provider="x", model_name="m", measured=measured)
    return PoolEntry(profile=profile, backend=backend)


def cost_of(*entries: PoolEntry, cached: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    n = len(entries)
    return BoundCost(Pool(entries)).estimate(
        input_tokens=1_000, cached_tokens=cached, output_tokens=np.full(n, 200.0), output_tokens_sd=np.full(n, 100.0)
    )


def test_the_expected_cost_is_what_the_price_charges_for_the_expected_tokens() -> None:
    cost, sd = cost_of(entry())
    assert cost[0] == pytest.approx(0.006)  # 1,000 x $3/M + 200 x $15/M
    assert cost[0] == pytest.approx(float(PRICE.cost_usd(Usage(input_tokens=1_000, output_tokens=200))))
    assert sd[0] == pytest.approx(0.0015)  # 100 x $15/M


def test_cached_tokens_cost_what_the_cache_costs() -> None:
    cost, _ = cost_of(entry(), cached=800)
    assert cost[0] == pytest.approx(200 * 3e-6 + 800 * 0.3e-6 + 200 * 15e-6)
    assert cost_of(entry(), cached=5_000)[0][0] == pytest.approx(1_000 * 0.3e-6 + 200 * 15e-6)  # no more than there is


def test_a_model_whose_tokenizer_counts_more_pays_more_for_the_same_prompt() -> None:
    cost, _ = cost_of(entry(ratio=1.5))
    assert cost[0] == pytest.approx(1_500 * 3e-6 + 200 * 15e-6)


def test_what_a_template_adds_is_read_at_the_plain_rate() -> None:
    measured = Measured(n_calls=100, input_tokens_added=30.0)
    templated = replace(entry(), backend=replace(entry().backend, measured=measured))
    cost, _ = cost_of(templated, entry(), cached=1_000)
    np.testing.assert_allclose(cost[0] - cost[1], 30 * 3e-6)


def test_the_ratio_is_measured_else_stated_else_one() -> None:
    pool = Pool([entry(ratio=1.2, per_char=0.5), entry(per_char=0.3), entry()])
    np.testing.assert_allclose(input_token_ratio(pool), [1.2, 1.2, 1.0])


def test_without_a_price_there_is_no_forecast_of_cost() -> None:
    cost, sd = cost_of(entry(price=None), entry())
    assert np.isnan([cost[0], sd[0]]).all()
    assert np.isfinite([cost[1], sd[1]]).all()


def test_a_long_input_is_forecast_at_its_own_rates_in_the_models_own_tokens() -> None:
    dear = Price(input_usd_per_mtok=Decimal(6), output_usd_per_mtok=Decimal(30))
    price = replace(PRICE, long_context=dear, long_context_above_tokens=1_200)
    cost, sd = cost_of(entry(price=price), entry(price=price, ratio=1.5), entry())
    assert cost[0] == pytest.approx(0.006)  # 1,000 tokens are within the limit
    assert cost[1] == pytest.approx(1_500 * 6e-6 + 200 * 30e-6)  # 1,500 are not
    assert cost[2] == pytest.approx(0.006)
    assert sd[1] == pytest.approx(100 * 30e-6)
    assert cost_of(entry(price=price, ratio=1.5), cached=400)[0][0] == pytest.approx(cost[1])  # no rate for cached ones


def test_the_cache_saves_the_difference_of_the_rates_that_hold_at_that_length() -> None:
    dear = Price(
        input_usd_per_mtok=Decimal(6), output_usd_per_mtok=Decimal(30), cached_input_usd_per_mtok=Decimal("0.6")
    )
    price = replace(PRICE, long_context=dear, long_context_above_tokens=1_200)
    saves = BoundCost(Pool([entry(price=price), entry(price=price, ratio=1.5), entry(price=None)])).cache_saves_usd
    np.testing.assert_allclose(saves(500), [2.7e-6, 1.5 * 2.7e-6, 0.0])
    np.testing.assert_allclose(saves(1_000), [2.7e-6, 1.5 * 5.4e-6, 0.0])
