import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.metrics.frontier import cheapest_reaching, mixture_at_cost, non_decreasing_hull, quality_at_cost, upper_hull

COST, QUALITY = np.array([1.0, 2, 3, 4, 5]), np.array([0.5, 0.7, 0.72, 0.8, 0.6])


def test_the_hull_skips_what_a_mixture_beats() -> None:
    # (3, .72) lies below the line from (2, .7) to (4, .8)
    assert upper_hull(COST, QUALITY).tolist() == [[1, 0.5], [2, 0.7], [4, 0.8], [5, 0.6]]


def test_nobody_has_to_spend_more_for_less() -> None:
    assert non_decreasing_hull(COST, QUALITY)[-1].tolist() == [4, 0.8]


def test_a_mean_cost_between_two_points_buys_their_mixture() -> None:
    assert quality_at_cost(COST, QUALITY, at=np.array([1.5, 9])).tolist() == pytest.approx([0.6, 0.8])
    assert np.isnan(quality_at_cost(COST, QUALITY, at=np.array([0.5]))[0])


def test_a_mean_cost_is_spent_on_the_two_points_around_it() -> None:
    assert mixture_at_cost(COST, QUALITY, at=1.5).tolist() == [0.5, 0.5, 0, 0, 0]
    assert mixture_at_cost(COST, QUALITY, at=3).tolist() == [0, 0.5, 0, 0.5, 0]  # (3, .72) lies below the line
    assert mixture_at_cost(COST, QUALITY, at=9).tolist() == [0, 0, 0, 1, 0]  # the peak, not the dearest
    assert mixture_at_cost(COST, QUALITY, at=0.5).tolist() == [1, 0, 0, 0, 0]
    assert mixture_at_cost(np.array([2.0]), np.array([0.1]), at=3).tolist() == [1]


def test_the_cheapest_way_to_a_score_is_a_mixture_too() -> None:
    assert cheapest_reaching(COST, QUALITY, target=0.75) == pytest.approx(3)
    assert cheapest_reaching(COST, QUALITY, target=0.1) == 1
    assert np.isnan(cheapest_reaching(COST, QUALITY, target=0.9))


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30))
def test_no_point_lies_above_the_hull(points: list[tuple[float, float]]) -> None:
    cost, quality = np.array(points).T
    assert np.all(quality_at_cost(cost, quality, at=cost) >= quality - 1e-9)
