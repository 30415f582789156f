"""What every quality predictor promises, whatever is inside."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from predictors import NotFittedError
from predictors.quality import (
    ClusterMeans,
    GlobalMeans,
    LogisticFactorization,
    NearestNeighbours,
    QualityPredictor,
    RidgeHeads,
    StackedEnsemble,
    TaskHeads,
    TopicMeans,
    TrainingSet,
    state,
)

MAKERS: tuple[Callable[[], QualityPredictor], ...] = (
    GlobalMeans,
    TopicMeans,
    lambda: TopicMeans(hard=True),
    lambda: ClusterMeans(n_clusters=4),
    lambda: NearestNeighbours(n_neighbours=20),
    RidgeHeads,
    TaskHeads,
    lambda: LogisticFactorization(n_traits=2),
    StackedEnsemble,
)
NAMES = (
    "global",
    "topics",
    "topics-hard",
    "clusters",
    "neighbours",
    "ridge",
    "task-heads",
    "factorization",
    "ensemble",
)


def two_kinds_of_prompts(*, n: int = 400, missing: float = 0.0, seed: int = 0) -> TrainingSet:
    """Half maths, half poetry: model `sums` answers 90 % of the maths, `verse` 90 % of the poetry, else 30 %."""
    rng = np.random.default_rng(seed)
    maths = np.arange(n) % 2 == 0
    features = rng.normal(scale=0.1, size=(n, 8)) + np.where(maths[:, None], 1.0, -1.0) * np.eye(8)[0]
    chance = np.stack([np.where(maths, 0.9, 0.3), np.where(maths, 0.3, 0.9), np.full(n, 0.5)], axis=1)
    score = (rng.random((n, 3)) < chance).astype(np.float64)
    score[rng.random((n, 3)) < missing] = np.nan
    return TrainingSet(
        features=features,
        score=score,
        models=("sums", "verse", "coin"),
        domain=np.where(maths, "made/maths", "made/poetry"),
        group=np.array([f"g{i}" for i in range(n)]),
    )


@pytest.fixture(params=MAKERS, ids=NAMES)
def predictor(request: pytest.FixtureRequest) -> QualityPredictor:
    return request.param()


def test_expected_scores_lie_between_0_and_1_with_finite_errors(predictor: QualityPredictor) -> None:
    training = two_kinds_of_prompts()
    estimate = predictor.fit(training).predict(training.features[:7])
    assert estimate.mean.shape == estimate.se.shape == (7, 3)
    assert estimate.familiarity.shape == (7,)
    assert ((estimate.mean >= 0) & (estimate.mean <= 1)).all()
    assert (np.isfinite(estimate.se) & (estimate.se >= 0)).all()
    assert ((estimate.familiarity >= 0) & (estimate.familiarity <= 1)).all()


def test_the_same_outcomes_give_the_same_predictions(predictor: QualityPredictor) -> None:
    training = two_kinds_of_prompts()
    first = predictor.fit(training).predict(training.features[:5])
    again = predictor.fit(two_kinds_of_prompts()).predict(training.features[:5])
    np.testing.assert_array_equal(first.mean, again.mean)


def test_a_prompt_is_judged_alike_alone_and_in_a_batch(predictor: QualityPredictor) -> None:
    training = two_kinds_of_prompts()
    fitted = predictor.fit(training)
    batch = fitted.predict(training.features[:5])
    alone = fitted.predict(training.features[3:4])
    np.testing.assert_allclose(batch.mean[3], alone.mean[0], atol=1e-9)


def test_predicting_changes_nothing(predictor: QualityPredictor) -> None:
    training = two_kinds_of_prompts()
    fitted = predictor.fit(training)
    before = fitted.predict(training.features[:5]).mean
    fitted.predict(-training.features)
    np.testing.assert_array_equal(fitted.predict(training.features[:5]).mean, before)


def test_outcomes_that_were_not_tried_are_no_obstacle(predictor: QualityPredictor) -> None:
    training = two_kinds_of_prompts(missing=0.3)
    estimate = predictor.fit(training).predict(training.features[:7])
    assert np.isfinite(estimate.mean).all()


def test_the_mean_over_prompts_is_near_the_observed_one(predictor: QualityPredictor) -> None:
    training = two_kinds_of_prompts()
    estimate = predictor.fit(training).predict(training.features)
    np.testing.assert_allclose(estimate.mean.mean(axis=0), training.score.mean(axis=0), atol=0.05)


def test_predicting_before_fitting_is_refused_by_name(predictor: QualityPredictor) -> None:
    with pytest.raises(NotFittedError, match=type(predictor).__name__):
        predictor.predict(np.zeros((1, 8)))


@pytest.mark.parametrize("make", MAKERS[1:], ids=NAMES[1:])
def test_the_better_model_for_a_kind_of_prompt_is_found(make: Callable[[], QualityPredictor]) -> None:
    training, fresh = two_kinds_of_prompts(), two_kinds_of_prompts(seed=1)
    choice = make().fit(training).predict(fresh.features).mean.argmax(axis=1)
    right = np.where(np.arange(len(choice)) % 2 == 0, 0, 1)  # sums on maths, verse on poetry
    assert np.mean(choice == right) > 0.95


@pytest.mark.parametrize("make", MAKERS, ids=NAMES)
@pytest.mark.parametrize("n_domains", [1, 2])
def test_what_was_learned_can_be_given_to_another(make: Callable[[], QualityPredictor], n_domains: int) -> None:
    training = two_kinds_of_prompts(missing=0.1)
    if n_domains == 1:
        training = replace(training, domain=np.full(len(training.score), "made"))
    fitted, other = make().fit(training), make()
    state.restore(other, state.learned(fitted))
    told, expected = other.predict(training.features[:9]), fitted.predict(training.features[:9])
    np.testing.assert_allclose(told.mean, expected.mean, atol=1e-5)
    np.testing.assert_allclose(told.se, expected.se, atol=1e-5)
    np.testing.assert_allclose(told.familiarity, expected.familiarity, atol=1e-4)
