"""Now and then another good candidate, with a known probability."""

import numpy as np
import pytest

from router.exploration import Exploration

UTILITY = np.array([0.50, 0.45, 0.30])
ALL = np.ones(3, dtype=np.bool_)


def test_the_rate_is_shared_by_those_within_reach_of_the_best() -> None:
    probability = Exploration(rate=0.1, reach=0.1).probabilities(UTILITY, ALL, best=0)
    np.testing.assert_allclose(probability, [0.95, 0.05, 0.0])  # 0.9 + 0.1 / 2, 0.1 / 2, out of reach


def test_who_is_not_admitted_is_never_drawn() -> None:
    probability = Exploration(rate=0.1).probabilities(UTILITY, np.array([True, False, True]), best=0)
    np.testing.assert_allclose(probability, [1.0, 0.0, 0.0])


def test_the_stated_probability_is_how_often_a_choice_is_made() -> None:
    exploration, rng = Exploration(rate=0.4), np.random.default_rng(0)
    drawn = [exploration.choose(UTILITY, ALL, best=0, rng=rng) for _ in range(4_000)]
    share = np.mean([chosen == 1 for chosen, _ in drawn])
    assert share == pytest.approx(0.2, abs=0.02)
    assert {round(p, 9) for chosen, p in drawn if chosen == 1} == {0.2}


def test_at_a_rate_of_zero_nothing_is_drawn_at_all() -> None:
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    assert Exploration(rate=0.0).choose(UTILITY, ALL, best=0, rng=rng) == (0, 1.0)
    assert rng.bit_generator.state == before
