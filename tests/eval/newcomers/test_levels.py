"""Mean scores told from profiles."""

import numpy as np
import pytest

from eval.newcomers.levels import forecast_levels

SCORE = np.array([0.2, 0.4, 0.6, 0.8])
KNOWN = np.array([True, True, True, False])


def test_who_knows_nothing_says_the_mean_of_the_others() -> None:
    assert forecast_levels(None, SCORE, np.zeros(4), known=KNOWN, new=~KNOWN) == pytest.approx([0.4])


def test_an_ability_that_explains_the_others_places_the_new_one_beyond_them() -> None:
    ability = np.log(SCORE / (1 - SCORE))[:, None]
    (forecast,) = forecast_levels(ability, SCORE, np.zeros(4), known=KNOWN, new=~KNOWN)
    assert 0.7 < forecast < 0.8  # a little short of it: the slope is shrunk


def test_a_model_whose_ability_is_vague_counts_less() -> None:
    ability = np.array([[-1.0], [0.0], [1.0], [2.0]])
    odd = np.array([0.2, 0.9, 0.6, 0.8])
    (trusting,) = forecast_levels(ability, odd, np.zeros(4), known=KNOWN, new=~KNOWN)
    (doubting,) = forecast_levels(ability, odd, np.array([0.0, 9.0, 0.0, 0.0]), known=KNOWN, new=~KNOWN)
    straight = forecast_levels(
        ability[[0, 2, 3]],
        odd[[0, 2, 3]],
        np.zeros(3),
        known=np.array([True, True, False]),
        new=np.array([0, 0, 1]) > 0,
    )[0]
    assert abs(doubting - straight) < abs(trusting - straight)
