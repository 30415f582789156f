"""Now and then another good candidate, with a known probability."""

import numpy as np
import pytest

from router.exploration import Exploration

UTILITY = np.array([[0.50, 0.45, 0.30], [0.1, 0.2, 0.25]])
ALL = np.ones((2, 3), dtype=np.bool_)
BEST = np.array([0, 2])


def test_those_within_reach_of_the_best_may_be_drawn() -> None:
    near = Exploration(reach=0.1).near_best(UTILITY, ALL, BEST)
    assert near.tolist() == [[True, True, False], [False, True, True]]


def test_who_is_not_admitted_is_never_drawn() -> None:
    near = Exploration().near_best(UTILITY, np.array([[True, False, True], [True, True, True]]), BEST)
    assert near[0].tolist() == [True, False, False]


def test_the_stated_probability_is_how_often_a_choice_is_made() -> None:
    exploration, rng = Exploration(rate=0.4), np.random.default_rng(0)
    near = exploration.near_best(UTILITY, ALL, BEST)[0]
    drawn = [exploration.choose(near, best=0, rng=rng) for _ in range(4_000)]
    share = np.mean([chosen == 1 for chosen, _ in drawn])
    assert share == pytest.approx(0.2, abs=0.02)
    told = {tuple(everybody.round(9)) for _, everybody in drawn if everybody is not None}
    assert told == {(0.8, 0.2, 0.0)}  # 0.4 shared by two, and 0.6; whoever is drawn, and of those who cannot be


def test_at_a_rate_of_zero_nothing_is_drawn_at_all() -> None:
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    assert Exploration(rate=0.0).choose(ALL[0], best=0, rng=rng) == (0, None)
    assert rng.bit_generator.state == before


def test_a_best_one_that_is_alone_is_certain() -> None:
    rng = np.random.default_rng(0)
    alone = np.array([True, False, False])
    assert {Exploration(rate=0.5).choose(alone, best=0, rng=rng) for _ in range(9)} == {(0, None)}
