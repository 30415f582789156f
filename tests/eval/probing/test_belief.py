"""Getting to know a model with few questions."""

import numpy as np
import pytest

from eval.probing.belief import Asked, VectorBelief, most_informative
from predictors.quality.placement.factorization import sigmoid


def a_belief(strength: float = 0.0) -> VectorBelief:
    return VectorBelief.from_profile(np.array([strength, 0.0]), strength_sd=1.0, trait_sd=1.0)


def test_a_question_that_could_go_either_way_tells_more_than_a_sure_one() -> None:
    prompt_side = np.array([[6.0, 0.0], [0.0, 0.0], [-6.0, 0.0]])  # too easy, even, too hard
    assert most_informative(a_belief(), prompt_side, n=1) == [1]


def test_the_second_question_asks_about_what_the_first_left_open() -> None:
    prompt_side = np.array([[0.0, 0.0], [0.0, 0.01], [0.0, 1.0], [0.0, -1.0]])
    first, second = most_informative(a_belief(), prompt_side, n=2)
    assert {first, second} == {2, 3}  # both sides of the trait, not the same side twice


def test_of_those_drawn_the_most_telling_is_asked_so_that_the_oddest_is_seldom_the_first() -> None:
    prompt_side = np.array([[0.0, 0.1 * k] for k in range(20)])  # the further out, the more it tells of the trait
    firsts = [most_informative(a_belief(), prompt_side, n=1, rng=np.random.default_rng(k))[0] for k in range(400)]
    assert most_informative(a_belief(), prompt_side, n=1) == [19]
    assert firsts.count(19) / 400 == pytest.approx(3 / 20, abs=0.06)  # whenever it is among the three
    assert min(firsts) >= 2  # the least telling of three is never asked
    again = most_informative(a_belief(), prompt_side, n=20, rng=np.random.default_rng(0))
    assert sorted(again) == list(range(20))


def test_no_question_is_asked_twice_and_none_is_invented() -> None:
    prompt_side = np.zeros((3, 2))
    assert sorted(most_informative(a_belief(), prompt_side, n=9, taken=[1])) == [0, 2]


def test_right_answers_raise_the_expectation_and_every_answer_narrows_it() -> None:
    prompt_side = np.array([[0.0, 0.0]])
    before = a_belief()
    after = before.after(Asked(prompt_side=prompt_side, score=np.array([1.0])))
    assert before.expected(prompt_side)[0] == 0.5
    assert after.expected(prompt_side)[0] > 0.5
    assert after.covariance[0, 0] < before.covariance[0, 0]
    slope = 1.0 - sigmoid(after.mean[:1])[0]
    assert after.mean[0] == pytest.approx(slope)  # at the maximum: prior pull 1 x mean = 1 - p


def test_many_answers_find_the_true_vector() -> None:
    rng = np.random.default_rng(0)
    prompt_side = rng.normal(size=(4000, 2))
    truth = np.array([0.7, -1.2])
    score = (rng.random(4000) < sigmoid(prompt_side[:, 0] + truth[0] + prompt_side[:, 1] * truth[1])).astype(float)
    found = a_belief().after(Asked(prompt_side=prompt_side, score=score))
    np.testing.assert_allclose(found.mean, truth, atol=0.12)
