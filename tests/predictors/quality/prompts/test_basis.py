"""The prompt basis."""

import numpy as np

from predictors.quality.prompts.basis import PromptBasis


def test_folding_weights_in_gives_the_same_numbers_as_transforming_first() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(80, 5))
    basis = PromptBasis().fit(features, np.array(["a", "b"] * 40))
    weights = rng.normal(size=(basis.dim, 3))
    on_features, constant, on_topics = basis.fold_in(weights)
    topics = basis.topics.predict(basis.standard(features))
    np.testing.assert_allclose(
        features @ on_features + constant + topics @ on_topics, basis.transform(features) @ weights, atol=1e-9
    )


def test_coordinates_of_the_training_prompts_are_centred() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(3.0, 2.0, size=(60, 4))
    basis = PromptBasis().fit(features, np.array(["a", "b", "c"] * 20))
    np.testing.assert_allclose(basis.transform(features).mean(axis=0), 0.0, atol=1e-9)


def test_surface_features_weigh_as_much_more_as_told_and_the_encoding_stays_as_it_was() -> None:
    features = np.random.default_rng(2).normal(size=(60, 4))
    domain = np.array(["a", "b", "c"] * 20)
    plain = PromptBasis().fit(features, domain, n_surface=1).standard(features)
    weighed = PromptBasis(surface_weight=4.0).fit(features, domain, n_surface=1).standard(features)
    np.testing.assert_allclose(weighed[:, :3], plain[:, :3])
    np.testing.assert_allclose(weighed[:, 3], 4.0 * plain[:, 3])
