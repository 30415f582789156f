import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from router import hypervolume, non_dominated
from router.choice.pareto import fronts


def brute_force(points: np.ndarray) -> list[bool]:
    points = np.where(np.isnan(points), np.inf, points)
    columns = points.T.tolist()
    return [
        not any(
            all(b <= a for a, b in zip(x, y, strict=True)) and any(b < a for a, b in zip(x, y, strict=True))
            for y in columns
        )
        for x in columns
    ]


def test_the_front_of_cost_and_loss_leaves_out_who_is_dearer_and_worse() -> None:
    cost, loss = [1.0, 2.0, 3.0, 4.0], [0.5, 0.3, 0.4, 0.2]
    assert non_dominated(np.array([cost, loss])).tolist() == [True, True, False, True]


def test_an_objective_can_be_maximised_instead() -> None:
    cost, quality = [1.0, 2.0, 3.0, 4.0], [0.5, 0.7, 0.6, 0.8]
    front = non_dominated(np.array([cost, quality]), maximise=[False, True])
    assert front.tolist() == [True, True, False, True]


def test_equal_points_are_all_on_the_front() -> None:
    assert non_dominated(np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 3.0]])).tolist() == [True, True, False]


def test_an_unknown_value_is_the_worst_possible_one() -> None:
    cost, loss = [np.nan, 1.0, np.nan], [0.1, 0.2, 0.3]
    assert non_dominated(np.array([cost, loss])).tolist() == [True, True, False]


@pytest.mark.parametrize("n_points", [0, 1])
def test_nobody_is_not_beaten_and_one_alone_is_the_front(n_points: int) -> None:
    assert non_dominated(np.zeros((2, n_points))).tolist() == [True] * n_points


@given(
    st.integers(1, 4).flatmap(
        lambda k: st.integers(1, 12).flatmap(
            lambda n: arrays(np.float64, (k, n), elements=st.sampled_from([0.0, 1.0, 2.0, 3.0, np.nan, np.inf]))
        )
    )
)
def test_the_front_is_what_comparing_all_with_all_finds(points: np.ndarray) -> None:
    assert non_dominated(points).tolist() == brute_force(points)


@pytest.mark.parametrize("n_objectives", [3, 4])
@pytest.mark.parametrize("kind", ["ties", "unknown", "all on the front"])
def test_many_points_have_the_same_front_as_by_comparing_all_with_all(n_objectives: int, kind: str) -> None:
    rng = np.random.default_rng(0)
    points = rng.integers(0, 12, size=(n_objectives, 300)).astype(float)
    if kind == "unknown":
        points[rng.random(points.shape) < 0.1] = np.nan
    if kind == "all on the front":
        points = rng.random((n_objectives, 300))
        points = np.concatenate([points / np.linalg.norm(points, axis=0)] * 2, axis=1)  # each of them twice
    assert non_dominated(points).tolist() == brute_force(points)


def test_the_hypervolume_of_the_published_example_is_2_7() -> None:
    cost, quality = np.array([4.0, 1.0, 2.0]), np.array([0.8, 0.5, 0.7])
    assert hypervolume(cost, quality, reference=(5.0, 0.0)) == pytest.approx(2.7)  # 4 x .5 + 3 x .2 + 1 x .1


def test_points_that_are_dominated_or_beyond_the_reference_add_no_volume() -> None:
    cost, quality = np.array([1.0, 2.0, 4.0, 3.0, 6.0]), np.array([0.5, 0.7, 0.8, 0.6, 1.0])
    assert hypervolume(cost, quality, reference=(5.0, 0.0)) == pytest.approx(2.7)


@pytest.mark.parametrize("n_points", [1, 7, 130])  # all pairs below 128, one problem after the other above
def test_several_fronts_at_once_are_those_of_each_problem(n_points: int) -> None:
    rng = np.random.default_rng(n_points)
    objectives = rng.integers(0, 4, (3, 5, n_points)).astype(float)
    objectives[2, 1, 0] = np.nan
    among = rng.random((5, n_points)) < 0.7
    for problem, found in enumerate(fronts(objectives, among)):
        part = among[problem]
        assert found[part].tolist() == non_dominated(objectives[:, problem, part]).tolist()
        assert not found[~part].any()
