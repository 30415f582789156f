"""What probing is worth."""

import numpy as np
import pytest

from eval.probe import VectorBelief
from eval.probe_study import BUDGETS, Newcomer, regrets


def a_newcomer(believed: float) -> Newcomer:
    """A model that is always right beside a rival that is right half the time and looks like 0.6."""
    n = 300
    side = np.zeros((n, 2))
    return Newcomer(
        belief=VectorBelief.from_profile(np.array([believed, 0.0]), strength_sd=1.0, trait_sd=0.1),
        probe_side=side,
        probe_score=np.ones(n),
        route_side=side,
        route_score=np.ones(n),
        rival_expected=np.full(n, 0.6),
        rival_score=np.full(n, 0.5),
    )


def test_a_model_believed_too_weak_costs_until_it_is_probed() -> None:
    chosen, drawn = regrets(a_newcomer(believed=-2.0), rng=np.random.default_rng(0))
    assert chosen[0] == pytest.approx(0.5)  # the rival answers everything: 0.5 instead of 1
    assert chosen[BUDGETS.index(30)] == 0.0
    assert drawn[BUDGETS.index(30)] == 0.0


def test_a_model_whose_profile_is_right_has_nothing_to_gain() -> None:
    chosen, drawn = regrets(a_newcomer(believed=3.0), rng=np.random.default_rng(0))
    assert not chosen.any()
    assert not drawn.any()
