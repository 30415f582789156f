"""Near the training data, and far from it."""

import numpy as np

from predictors.quality.prompts.familiarity import Familiarity, spread_over_domains


def test_training_like_prompts_are_familiar_and_distant_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(500, 4))
    familiarity = Familiarity(n_landmarks=64).fit(cloud, np.full(500, "one"))
    assert np.median(familiarity.predict(cloud)) == 1.0
    near, far, farther = familiarity.predict(np.array([[0.0] * 4, [6.0] * 4, [12.0] * 4]))
    assert near == 1.0
    assert near > far > farther
    assert farther < 0.01


def test_landmarks_are_taken_evenly_from_rare_and_common_domains() -> None:
    domain = np.array(["common"] * 95 + ["rare"] * 5)
    chosen = spread_over_domains(domain, 10, np.random.default_rng(0))
    assert (domain[chosen] == "rare").sum() == 5
