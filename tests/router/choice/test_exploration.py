"""Now and then another good candidate, with a known probability."""

import numpy as np

from router.choice.exploration import Exploration

UTILITY = np.array([[0.50, 0.45, 0.30], [0.1, 0.2, 0.25]])
ALL = np.ones((2, 3), dtype=np.bool_)
BEST = np.array([0, 2])


def test_those_within_reach_of_the_best_may_be_drawn() -> None:
    likely = Exploration(rate=0.4, reach=0.1).propensities(UTILITY, ALL, BEST)
    np.testing.assert_allclose(likely, [[0.8, 0.2, 0.0], [0.0, 0.2, 0.8]], rtol=1e-12)


def test_who_is_not_admitted_is_never_drawn() -> None:
    admitted = np.array([[True, False, True], [True, True, True]])
    assert Exploration().propensities(UTILITY, admitted, BEST)[0].tolist() == [1.0, 0.0, 0.0]


def test_the_stated_probability_is_how_often_a_choice_is_made() -> None:
    exploration, rng = Exploration(rate=0.4), np.random.default_rng(0)
    likely = exploration.propensities(UTILITY, ALL, BEST)[0]
    drawn = [exploration.choose(likely, best=0, rng=rng) for _ in range(4_000)]
    shares = np.bincount(drawn, minlength=3) / len(drawn)
    np.testing.assert_allclose(shares, likely, atol=0.02)
    assert shares[2] == 0.0


def test_at_a_rate_of_zero_nothing_is_drawn_at_all() -> None:
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    likely = Exploration(rate=0.0).propensities(UTILITY, ALL, BEST)
    assert likely.tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    assert Exploration(rate=0.0).choose(likely[0], best=0, rng=rng) == 0
    assert rng.bit_generator.state == before


def test_a_best_one_that_is_alone_is_certain() -> None:
    rng = np.random.default_rng(0)
    alone = np.array([1.0, 0.0, 0.0])
    assert {Exploration(rate=0.5).choose(alone, best=0, rng=rng) for _ in range(9)} == {0}
