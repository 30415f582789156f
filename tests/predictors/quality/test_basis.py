"""The prompt basis."""

import numpy as np

from predictors.quality.basis import PromptBasis


def test_folding_weights_in_gives_the_same_numbers_as_transforming_first() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(80, 5))
    basis = PromptBasis().fit(features, np.array(["a", "b"] * 40))
    weights = rng.normal(size=(basis.dim, 3))
    on_features, constant, on_topics = basis.fold_in(weights)
    topics = basis.topics.predict((features - basis.centre_) * basis.scale_)
    np.testing.assert_allclose(
        features @ on_features + constant + topics @ on_topics, basis.transform(features) @ weights, atol=1e-9
    )


def test_coordinates_of_the_training_prompts_are_centred() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(3.0, 2.0, size=(60, 4))
    basis = PromptBasis().fit(features, np.array(["a", "b", "c"] * 20))
    np.testing.assert_allclose(basis.transform(features).mean(axis=0), 0.0, atol=1e-9)
