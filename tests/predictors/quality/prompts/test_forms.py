"""A prompt of another form than all that were learned from."""

import numpy as np
import pytest

from predictors import NotFittedError
from predictors.quality.prompts.forms import Forms


def learned(rng: np.random.Generator) -> Forms:
    """Two domains that offer four options each; one asks at length, the other is short."""
    long_ones = rng.random(400) < 0.5
    surface = np.column_stack([np.where(long_ones, 2.0, -2.0) + 0.3 * rng.normal(size=400), np.full(400, 1.5)])
    features = np.column_stack([rng.normal(size=(400, 3)), surface])
    return Forms().fit(features, np.where(long_ones, "set/law", "set/sums"), n_surface=2)


def test_what_never_varied_in_training_is_noticed_when_it_does() -> None:
    forms = learned(np.random.default_rng(0))
    with_options, without = [0.0, 0.0, 0.0, 2.0, 1.5], [0.0, 0.0, 0.0, 2.0, 0.0]
    assert forms.trust(np.array([with_options, without])).tolist() == [1.0, 0.0]


def test_between_two_known_forms_lies_a_strange_one() -> None:
    forms = learned(np.random.default_rng(0))
    rows = np.array([[0.0, 0.0, 0.0, length, 1.5] for length in (-2.0, 0.0, 2.0)])
    assert forms.trust(rows).tolist() == [1.0, 0.0, 1.0]


def test_the_encoding_is_not_looked_at() -> None:
    forms = learned(np.random.default_rng(0))
    assert forms.trust(np.array([[90.0, -90.0, 5.0, 2.0, 1.5]])).tolist() == [1.0]


def test_all_but_one_known_prompt_in_two_hundred_is_trusted_whole() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(2_000, 5))
    forms = Forms().fit(features, np.full(2_000, "set/all"), n_surface=5)
    assert (forms.trust(features) == 1.0).mean() == pytest.approx(0.995)
    assert (forms.trust(rng.normal(size=(20_000, 5))) == 1.0).mean() == pytest.approx(0.995, abs=0.003)


def test_without_surface_features_everything_is_trusted() -> None:
    forms = Forms().fit(np.zeros((3, 2)), np.array(["a", "a", "b"]), n_surface=0)
    assert forms.trust(np.ones((2, 2))).tolist() == [1.0, 1.0]


def test_it_must_be_fitted_first() -> None:
    with pytest.raises(NotFittedError):
        Forms().trust(np.zeros((1, 2)))
