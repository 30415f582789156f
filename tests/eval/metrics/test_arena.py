import numpy as np
import pytest

from eval.metrics import arena_cost_score, arena_latency_score, arena_score, optimal_selection

PUBLISHED = [
    ("MIRT-BERT", 66.88, 0.15, 66.89),
    ("Azure", 68.09, 0.54, 66.66),
    ("NIRT-BERT", 66.34, 0.21, 66.12),
    ("GPT-5", 73.96, 10.02, 64.32),
    ("vLLM-SR", 67.28, 1.67, 64.32),
    ("CARROT", 67.21, 2.06, 63.87),
    ("Chayan", 64.89, 0.56, 63.83),
    ("RouterBench-MLP", 61.62, 4.83, 57.56),
    ("GraphRouter", 57.00, 0.34, 57.22),
    ("RouterBench-KNN", 58.69, 4.27, 55.48),
    ("RouteLLM", 47.04, 0.27, 48.07),
    ("RouterDC", 32.01, 0.07, 33.75),
]


@pytest.mark.parametrize(("accuracy", "usd_per_1k", "published"), [row[1:] for row in PUBLISHED], ids=str)
def test_the_published_scores_follow_from_accuracy_and_cost(
    accuracy: float, usd_per_1k: float, published: float
) -> None:
    assert 100 * arena_score(accuracy=accuracy / 100, usd_per_1k=usd_per_1k) == pytest.approx(published, abs=0.015)


def test_one_published_score_does_not_follow_from_its_own_inputs() -> None:
    assert 100 * arena_score(accuracy=0.6083, usd_per_1k=4.10) == pytest.approx(57.30, abs=0.01)  # published: 63.00


def test_costs_outside_the_published_range_score_nothing_or_all() -> None:
    assert (arena_cost_score(1_000), arena_cost_score(0.001)) == (0, 1)


def test_the_latency_score_has_no_pole() -> None:
    assert [arena_latency_score(ms) for ms in (1, 10, 11, 30)] == [1, 1, 1, 0.05]


def test_the_cheapest_right_model_is_the_optimal_pick() -> None:
    correct = np.array([[True, True], [False, True], [False, False], [True, True]])
    cost = np.array([[1.0, 4.0]] * 4)
    found = optimal_selection(correct=correct, cost=cost, chosen=np.array([0, 1, 0, 1]))
    assert found.selection == pytest.approx(2 / 3)  # of three answerable prompts the last is overpaid
    assert found.cost == pytest.approx((1 + 1 + 1 / 4) / 3)
    assert found.accuracy == 1.0  # nothing that could be right is wrong


def test_free_models_cost_what_they_must() -> None:
    correct, cost = np.array([[True, True], [True, True]]), np.array([[0.0, 0.0], [0.0, 0.2]])
    found = optimal_selection(correct=correct, cost=cost, chosen=np.array([1, 1]))
    assert (found.selection, found.cost) == (0.5, 0.5)  # the first is free as it could be, the second paid for nothing


def test_where_nobody_is_right_there_is_no_share_of_right_picks() -> None:
    found = optimal_selection(correct=np.zeros((2, 2), dtype=np.bool_), cost=np.ones((2, 2)), chosen=np.array([0, 1]))
    assert np.isnan([found.selection, found.cost, found.accuracy]).all()
