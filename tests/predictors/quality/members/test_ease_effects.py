"""Leads that depend on how easy a prompt is."""

import numpy as np
import pytest

from predictors import NotFittedError
from predictors.quality.members.ease_effects import EaseEffects


def test_a_lead_that_vanishes_on_easy_prompts_is_learned() -> None:
    rng = np.random.default_rng(0)
    level = rng.uniform(-0.3, 0.3, size=5_000)
    lead = 0.2 - 0.6 * level  # of the first model over the second: nothing at the easy end
    observed = np.column_stack([lead, -lead]) / 2 + 0.3 * rng.normal(size=(5_000, 1)) * np.array([1.0, -1.0])
    told = np.zeros((5_000, 2))  # members that know of no difference
    effects = EaseEffects(penalty=0.01).fit(level, told, observed=observed, slope=1.0)
    added = effects.predict(np.array([-0.3, 0.0, 0.3]), np.zeros((3, 2)))
    np.testing.assert_allclose(added[:, 0] - added[:, 1], [0.38, 0.2, 0.02], atol=0.06)
    np.testing.assert_allclose(added.sum(axis=1), 0.0, atol=1e-12)  # contrasts stay contrasts


def test_where_the_contrasts_tell_all_hardly_anything_is_added() -> None:
    rng = np.random.default_rng(0)
    contrasts = rng.normal(scale=0.1, size=(5_000, 3))
    contrasts -= contrasts.mean(axis=1, keepdims=True)
    observed = contrasts + 0.3 * rng.normal(size=(5_000, 3))
    observed -= observed.mean(axis=1, keepdims=True)
    level = rng.uniform(-0.3, 0.3, size=5_000)
    effects = EaseEffects().fit(level, contrasts, observed=observed, slope=1.0)
    assert np.abs(effects.predict(level, contrasts)).mean() < 0.02


def test_a_single_model_has_no_contrasts() -> None:
    effects = EaseEffects().fit(np.arange(5.0), np.zeros((5, 1)), observed=np.zeros((5, 1)), slope=1.0)
    assert effects.predict(np.zeros(2), np.zeros((2, 1))).tolist() == [[0.0], [0.0]]


def test_it_must_be_fitted_first() -> None:
    with pytest.raises(NotFittedError):
        EaseEffects().predict(np.zeros(1), np.zeros((1, 2)))
