import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.errors import UndefinedMetricError
from eval.metrics import (
    aiq_paper,
    aiq_reference,
    area_under_deferral_curve,
    cost_share,
    hypervolume,
    peak_quality,
    quality_neutral_cost,
)

COST, QUALITY = np.array([1.0, 2, 4]), np.array([0.5, 0.7, 0.8])


def test_aiq_of_the_oracle_points() -> None:
    assert aiq_paper(COST, QUALITY, max_cost=5) == pytest.approx(0.725)  # area 2.9 over 5 - 1
    assert aiq_reference(COST, QUALITY, max_cost=5) == pytest.approx(0.58)  # 2.9 / 5


def test_aiq_ignores_points_below_the_hull() -> None:
    with_bad_point = aiq_paper(np.append(COST, 3.0), np.append(QUALITY, 0.4), max_cost=5)
    assert with_bad_point == pytest.approx(0.725)


def test_aiq_over_a_common_range_counts_nothing_below_the_cheapest_point() -> None:
    assert aiq_paper(COST, QUALITY, min_cost=0, max_cost=5) == pytest.approx(0.58)


def test_aiq_over_no_range_is_undefined() -> None:
    with pytest.raises(UndefinedMetricError, match="empty range"):
        aiq_paper(COST, QUALITY, max_cost=1)


def test_the_deferral_curve_has_its_costs_normalised() -> None:
    # costs 0, 1/3, 1: 0.6 x 1/3 + 0.75 x 2/3
    assert area_under_deferral_curve(COST, QUALITY) == pytest.approx(0.7)


def test_one_operating_point_is_no_deferral_curve() -> None:
    with pytest.raises(UndefinedMetricError, match="no deferral curve"):
        area_under_deferral_curve(np.ones(2), np.ones(2))


def test_the_peak_is_the_best_mean_score() -> None:
    assert peak_quality(QUALITY) == 0.8


def test_the_quality_neutral_cost_mixes_the_points_around_the_target() -> None:
    # 0.75 lies half way between the points of cost 2 and 4
    assert quality_neutral_cost(COST, QUALITY, best_single_cost=6, best_single_quality=0.75) == pytest.approx(0.5)


def test_a_router_that_never_equals_the_best_single_model_has_no_neutral_cost() -> None:
    assert np.isnan(quality_neutral_cost(COST, QUALITY, best_single_cost=6, best_single_quality=0.9))


def test_hypervolume_of_the_oracle_points() -> None:
    assert hypervolume(COST, QUALITY, max_cost=5) == pytest.approx(2.7)


@given(st.integers(0, 1_000))
def test_a_dominated_point_adds_no_hypervolume(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cost, quality = rng.random(8), rng.random(8)
    more = hypervolume(np.append(cost, cost[0] + 0.1), np.append(quality, quality[0] - 0.01), max_cost=2)
    assert more == pytest.approx(hypervolume(cost, quality, max_cost=2))


def test_what_is_free_costs_as_much_as_the_free_and_no_share_of_it_beyond() -> None:
    assert [cost_share(usd, of=0.2) for usd in (0.0, 0.1, 0.2)] == [0, 0.5, 1]
    assert cost_share(0.0, of=0.0) == 1
    assert np.isnan(cost_share(0.1, of=0.0))
