import numpy as np

from eval.metrics import optimal_model_identification

NAN = np.nan
SCORE = np.array([[0.9, 0.1, 0.2], [0.5, 0.5, 0.1], [NAN, 0.3, 0.2], [0.0, 0.0, 1.0]])
CHOSEN = np.array([0, 1, 1, 0])


def test_any_of_the_tied_best_is_a_hit_when_lenient() -> None:
    assert optimal_model_identification(SCORE, CHOSEN) == 0.75


def test_prompts_on_which_all_models_tie_decide_nothing() -> None:
    score = np.array([[0.0, 0.0, NAN], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert optimal_model_identification(score, CHOSEN) == 2 / 4
    assert optimal_model_identification(score, CHOSEN, ties="decisive") == 1 / 3


def test_prompts_with_tied_best_models_do_not_count_when_strict() -> None:
    assert optimal_model_identification(SCORE, CHOSEN, ties="strict") == 2 / 3


def test_nothing_can_be_identified_where_all_tie() -> None:
    assert np.isnan(optimal_model_identification(np.ones((2, 3)), np.array([0, 1]), ties="strict"))
