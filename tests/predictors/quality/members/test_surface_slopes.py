"""What holds within every task that was seen."""

import numpy as np

from predictors.quality import TrainingSet
from predictors.quality.members.surface_slopes import SurfaceSlopes


def long_ones_are_harder(*, n: int = 1200, seed: int = 0) -> TrainingSet:
    """Within each of three tasks longer is harder, while the task of long prompts is the easiest of all."""
    rng = np.random.default_rng(seed)
    task = np.arange(n) % 3
    longer = rng.normal(size=n)
    ease = 0.3 + 0.2 * task - 0.1 * longer
    return TrainingSet(
        features=np.column_stack([rng.normal(size=n), 3.0 * task + longer]),  # an encoding, and the length
        score=np.clip(np.column_stack([ease, ease + 0.05 * longer]), 0.0, 1.0),
        models=("weak", "strong"),
        domain=np.array(["set/short", "set/middling", "set/long"])[task],
        group=np.arange(n).astype(np.str_),
        n_surface=1,
    )


def test_slopes_are_those_within_tasks_and_not_between_them() -> None:
    training = long_ones_are_harder()
    longer = SurfaceSlopes().fit(training).predict(training.features[:1] + np.array([0.0, 1.0]))
    usual = SurfaceSlopes().fit(training).predict(training.features[:1])
    change = (longer - usual)[0]
    assert -0.1 < change[0] < change[1] < 0.0  # -0.1 and -0.05 in truth, and shrunk; between tasks they would rise


def test_the_encoding_says_nothing_and_the_models_keep_their_means() -> None:
    training = long_ones_are_harder()
    fitted = SurfaceSlopes().fit(training)
    other_words = training.features + np.array([5.0, 0.0])
    np.testing.assert_array_equal(fitted.predict(other_words), fitted.predict(training.features))
    np.testing.assert_allclose(fitted.predict(training.features).mean(axis=0), 0.0, atol=1e-9)


def test_without_surface_features_nothing_is_added() -> None:
    training = long_ones_are_harder()
    bare = TrainingSet(
        features=training.features,
        score=training.score,
        models=training.models,
        domain=training.domain,
        group=training.group,
    )
    assert not SurfaceSlopes().fit(bare).predict(training.features).any()


def test_a_feature_that_stood_still_in_training_moves_nothing_later() -> None:
    training = long_ones_are_harder()
    still = np.column_stack([training.features, np.zeros(len(training.features))])
    fitted = SurfaceSlopes().fit(
        TrainingSet(
            features=still,
            score=training.score,
            models=training.models,
            domain=training.domain,
            group=training.group,
            n_surface=2,
        )
    )
    moved = still + np.array([0.0, 0.0, 100.0])
    np.testing.assert_allclose(fitted.predict(moved), fitted.predict(still), atol=1e-9)
