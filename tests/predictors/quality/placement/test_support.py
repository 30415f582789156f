"""Where a model was tried, its own ways count; elsewhere those of its profile."""

import numpy as np

from predictors.quality.placement.placing import Placing
from predictors.quality.placement.support import Places, coverage, usual_gap

PLACING = Placing(of_prompt=0.9, of_strength=1.2, shift=-0.1)
BY_PROFILE = np.array([[1.0, 0.5], [1.0, 0.5]])  # strength and one trait
OWN = np.array([[2.0, -3.0], [1.0, 0.5]])  # the second model has no outcomes
TRIED = np.array([True, False])
SIDE = np.array([[0.4, 2.0]])  # a prompt's ease and its taste for the trait
PLACED = 0.9 * (0.4 + 2.0 * 0.5) + 1.2 * 1.0 - 0.1  # the logit of a model without outcomes


def logits(support: float) -> np.ndarray:
    places = Places.of(OWN, BY_PROFILE, PLACING, tried=TRIED, gap=np.array([0.3, 9.0]))
    return places.logits(SIDE, np.full((1, 2), support))[0]


def test_twenty_tried_prompts_of_a_topic_are_half_of_knowing_it() -> None:
    topics = np.repeat(np.eye(2), 20, axis=0)  # twenty prompts of each of two topics
    tried = np.zeros((40, 2), dtype=np.bool_)
    tried[:20, 0] = True
    np.testing.assert_allclose(coverage(topics, tried), [[0.5, 0.0], [0.0, 0.0]])


def test_on_what_a_model_was_tried_on_its_own_vector_counts() -> None:
    assert np.isclose(logits(1.0)[0], 0.4 + 2.0 + 2.0 * -3.0)


def test_elsewhere_it_is_where_its_profile_places_it_and_as_much_better_as_it_usually_is() -> None:
    assert np.isclose(logits(0.0)[0], PLACED + 0.3)


def test_a_model_without_outcomes_is_where_its_profile_places_it_on_any_prompt() -> None:
    np.testing.assert_allclose([logits(0.0)[1], logits(0.5)[1], logits(1.0)[1]], PLACED)


def test_four_tasks_are_believed_half_and_each_counts_the_same_however_many_prompts_it_has() -> None:
    task = np.array(["a"] * 97 + ["b", "c", "d"])
    gap = np.ones((100, 2)) * np.array([2.0, -5.0])
    tried = np.ones((100, 2), dtype=np.bool_)
    tried[97:, 1] = False  # the second model: task a alone
    np.testing.assert_allclose(usual_gap(gap, tried, task), [1.0, -1.0])


def test_prompts_that_were_not_tried_say_nothing() -> None:
    gap = np.array([[3.0], [np.inf]])
    assert usual_gap(gap, np.array([[True], [False]]), np.array(["a", "a"])) == 3.0 / 5
