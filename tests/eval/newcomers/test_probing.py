"""What probing is worth."""

import numpy as np
import pytest

from eval.newcomers.probing import BUDGETS, WAYS, Newcomer, regrets
from eval.probing.belief import VectorBelief


def a_newcomer(believed: float, score: float) -> Newcomer:
    n = 300
    side = np.zeros((n, 2))
    return Newcomer(
        belief=VectorBelief.from_profile(np.array([believed, 0.0]), strength_sd=1.0, trait_sd=0.1),
        probe_side=side,
        probe_score=np.full(n, score),
        route_side=side,
        route_score=np.full(n, score),
    )


def test_a_model_believed_too_weak_costs_until_it_is_probed() -> None:
    pool = [a_newcomer(believed=-2.0, score=1.0), a_newcomer(believed=0.0, score=0.5)]
    found = regrets(pool, rng=np.random.default_rng(0))
    for way in WAYS:
        assert found[way][0] == pytest.approx(0.5)  # the worse model answers everything: 0.5 instead of 1
        assert found[way][BUDGETS.index(30)] == 0.0


def test_models_whose_profiles_are_right_have_nothing_to_gain() -> None:
    pool = [a_newcomer(believed=3.0, score=1.0), a_newcomer(believed=0.0, score=0.5)]
    found = regrets(pool, rng=np.random.default_rng(0))
    assert not any(found[way].any() for way in WAYS)
