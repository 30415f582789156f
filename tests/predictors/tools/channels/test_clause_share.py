import numpy as np
import pytest

from predictors.tools.channels.clause_share import clause_share

SHARP = 1e-3  # the best tool of a clause takes all of it


def test_the_best_tool_of_a_weak_clause_counts_as_much_as_that_of_a_strong_one() -> None:
    scores = np.array([[0.9, 0.8, 0.3], [0.9, 0.8, 0.1], [0.1, 0.2, 0.3]], dtype=np.float32)  # the whole, two clauses
    shares = np.exp(clause_share(scores, np.array([0, 3]), temperature=SHARP))
    assert shares[0].tolist() == pytest.approx([0.501, 0.001, 0.501])


def test_tools_that_serve_the_same_clause_share_it() -> None:
    scores = np.array([[0.9, 0.9, 0.3], [0.9, 0.9, 0.1], [0.1, 0.2, 0.3]], dtype=np.float32)
    shares = np.exp(clause_share(scores, np.array([0, 3]), temperature=SHARP))
    assert shares[0].tolist() == pytest.approx([0.251, 0.251, 0.501])


def test_a_request_of_one_clause_is_that_clause() -> None:
    scores = np.array([[0.1, 0.9], [0.5, 0.4], [0.9, 0.2], [0.1, 0.2]], dtype=np.float32)
    shares = np.exp(clause_share(scores, np.array([0, 1, 4]), temperature=SHARP))
    assert shares.tolist() == [pytest.approx([0.001, 1.001]), pytest.approx([0.501, 0.501])]


def test_nothing_is_shared_where_there_is_nothing() -> None:
    assert clause_share(np.zeros((0, 3), dtype=np.float32), np.array([0]), temperature=1.0).shape == (0, 3)
    assert clause_share(np.zeros((1, 0), dtype=np.float32), np.array([0, 1]), temperature=1.0).shape == (1, 0)
