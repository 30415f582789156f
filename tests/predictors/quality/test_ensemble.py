"""Stacking, and acting only when sure."""

import numpy as np
import pytest

from predictors.quality import StackedEnsemble, TrainingSet
from predictors.quality.ensemble import act_only_when_sure, stacking_weights


def test_a_lead_within_the_margin_is_not_believed_and_a_larger_one_only_beyond_it() -> None:
    expected = np.array([[0.60, 0.62, 0.50], [0.60, 0.75, 0.50]])  # the first model is the best single one
    sure = act_only_when_sure(expected, best=0, margin=0.05)
    assert sure.argmax(axis=1).tolist() == [0, 1]
    np.testing.assert_allclose(sure[1], [0.60, 0.70, 0.50])  # 0.75 - 0.05; what is worse stays as it was
    assert sure[0, 1] == pytest.approx(0.60)


def test_stacking_finds_the_weights_and_gives_none_below_zero() -> None:
    rng = np.random.default_rng(0)
    first, second, noise = rng.normal(size=(3, 5000))
    weights = stacking_weights([first, second, noise], 0.7 * first + 0.2 * second - 0.3 * noise)
    np.testing.assert_allclose(weights, [0.7, 0.2, 0.0], atol=0.02)


def test_where_nothing_can_be_learned_it_always_answers_with_the_best_single_model() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 6))
    score = (rng.random((300, 20)) < np.linspace(0.5, 0.7, 20)).astype(float)  # the last model is best, everywhere
    training = TrainingSet(
        features=features,
        score=score,
        models=tuple(f"m{i}" for i in range(20)),
        domain=np.full(300, "noise"),
        group=np.arange(300).astype(str),
    )
    ensemble = StackedEnsemble(caution=2.0).fit(training)
    choice = ensemble.predict(rng.normal(size=(100, 6))).mean.argmax(axis=1)
    assert set(choice.tolist()) == {int(score.mean(axis=0).argmax())}
    # and where that one cannot be had, always with the best of the others
    weaker = list(range(10))
    best = ensemble.best_among(weaker)
    told = ensemble.predict(rng.normal(size=(100, 6)), best=best).mean[:, weaker]
    assert set(told.argmax(axis=1).tolist()) == {best} == {int(score[:, weaker].mean(axis=0).argmax())}


def test_a_margin_may_differ_from_query_to_query() -> None:
    expected = np.array([[0.60, 0.75], [0.60, 0.75]])
    sure = act_only_when_sure(expected, best=0, margin=np.array([[0.05], [1.0]]))
    assert sure.argmax(axis=1).tolist() == [1, 0]


def test_on_prompts_unlike_any_it_learned_from_it_answers_with_the_best_single_model() -> None:
    rng = np.random.default_rng(0)
    kind = rng.integers(3, size=600)
    features = 3.0 * np.eye(6)[kind] + 0.3 * rng.normal(size=(600, 6))
    chance = np.array([[0.9, 0.5, 0.1], [0.2, 0.8, 0.1], [0.9, 0.6, 0.1]])[kind]  # the second wins on one kind only
    training = TrainingSet(
        features=features,
        score=(rng.random((600, 3)) < chance).astype(float),
        models=("first", "second", "third"),
        domain=np.array(["set/sums", "set/verse", "set/code"])[kind],
        group=np.arange(600).astype(str),
    )
    ensemble = StackedEnsemble().fit(training)
    known = ensemble.predict(3.0 * np.eye(6)[[0, 1]]).mean.argmax(axis=1)
    strange = ensemble.predict(3.0 * np.eye(6)[[4, 5]] + 40.0 * np.eye(6)[[1, 1]]).mean.argmax(axis=1)
    assert known.tolist() == [0, 1]
    assert strange.tolist() == [0, 0]


def test_where_a_task_is_in_doubt_the_lead_of_a_model_that_is_good_at_nothing_else_is_believed_least() -> None:
    rng = np.random.default_rng(0)
    kind = rng.integers(4, size=2_000)
    chance = np.tile([0.8, 0.2, 0.6], (4, 1))
    chance[1] = [0.5, 0.8, 0.8]  # both others lead by 0.3 in verse
    training = TrainingSet(
        features=3.0 * np.eye(6)[kind] + 0.7 * rng.normal(size=(2_000, 6)),
        score=(rng.random((2_000, 3)) < chance[kind]).astype(float),
        models=("best", "specialist", "good at much"),
        domain=np.array(["set/sums", "set/verse", "set/code", "set/law"])[kind],
        group=np.arange(2_000).astype(str),
    )
    verse, doubtful = 3.0 * np.eye(6)[1], 3.0 * (0.75 * np.eye(6)[1] + 0.25 * np.eye(6)[0])
    leads = []
    for unlike in (0.0, 0.5):
        mean = StackedEnsemble(doubt=0.0, unlike=unlike).fit(training).predict(np.stack([verse, doubtful])).mean
        leads.append(mean[:, 1:] - mean[:, [0]])  # (n_queries, 2)
    np.testing.assert_allclose(leads[0][0], leads[1][0], atol=0.02)  # nothing is in doubt at the heart of verse
    lost = leads[0][1] - leads[1][1]
    assert lost[0] > 1.4 * lost[1] > 0.05  # their mean leads are -0.375 and -0.075


def test_on_a_strange_task_the_weaker_model_is_expected_to_lose_most_where_the_surface_looks_hard() -> None:
    rng = np.random.default_rng(0)
    kind, hardness = rng.integers(3, size=900), rng.normal(size=900)
    features = np.column_stack([3.0 * np.eye(6)[kind] + 0.3 * rng.normal(size=(900, 6)), hardness])
    chance = np.clip(np.column_stack([np.full(900, 0.8), 0.5 - 0.15 * hardness]), 0.0, 1.0)
    training = TrainingSet(
        features=features,
        score=(rng.random((900, 2)) < chance).astype(float),
        models=("strong", "weak"),
        domain=np.array(["set/sums", "set/verse", "set/code"])[kind],
        group=np.arange(900).astype(str),
        n_surface=1,
    )
    strange = np.tile(40.0 * np.eye(7)[4], (2, 1))
    strange[:, 6] = [-1.5, 1.5]
    estimate = StackedEnsemble().fit(training).predict(strange)
    easy, hard = estimate.mean[:, 0] - estimate.mean[:, 1]
    assert estimate.familiarity.max() < 0.1
    assert hard > easy + 0.1  # 0.45 apart in truth; half of it survives the penalty


def test_on_prompts_of_another_form_it_answers_with_the_best_single_model_however_near_their_words_are() -> None:
    rng = np.random.default_rng(0)
    kind = rng.integers(3, size=600)
    words, options = 3.0 * np.eye(6)[kind] + 0.3 * rng.normal(size=(600, 6)), 0.1 * rng.normal(size=600)
    chance = np.array([[0.9, 0.5], [0.2, 0.8], [0.9, 0.6]])[kind]
    training = TrainingSet(
        features=np.column_stack([words, options]),
        score=(rng.random((600, 2)) < chance).astype(float),
        models=("first", "second"),
        domain=np.array(["set/sums", "set/verse", "set/code"])[kind],
        group=np.arange(600).astype(str),
        n_surface=1,
    )
    ensemble = StackedEnsemble().fit(training)
    verse = 3.0 * np.eye(6)[1]
    estimate = ensemble.predict(np.array([[*verse, 0.0], [*verse, 2.0]]))
    assert estimate.mean.argmax(axis=1).tolist() == [1, 0]
    assert estimate.familiarity[1] == 0.0
    assert estimate.se[1, 0] > 3 * estimate.se[0, 0]


def test_nine_in_ten_means_of_known_prompts_lie_in_their_intervals() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(4_000, 5))
    ease = features @ np.array([0.08, -0.05, 0.05, 0.0, 0.0])
    chance = np.clip(np.linspace(0.4, 0.7, 6) + ease[:, None] + 0.05 * rng.normal(size=(4_000, 6)), 0.0, 1.0)
    training = TrainingSet(
        features=features,
        score=(rng.random((4_000, 6)) < chance).astype(float),
        models=tuple("abcdef"),
        domain=np.full(4_000, "set/all"),
        group=np.arange(4_000).astype(str),
    )
    known = np.arange(4_000) < 2_000
    estimate = StackedEnsemble().fit(training.only(known)).predict(features[~known])
    inside = []
    for model in range(6):
        for rows in np.array_split(np.argsort(estimate.mean[:, model]), 40):
            said, se = estimate.mean[rows, model], estimate.se[rows, model].mean()
            reach = 1.645 * np.hypot(se, np.sqrt((said * (1 - said)).mean() / len(rows)))
            inside.append(abs(training.score[~known][rows, model].mean() - said.mean()) <= reach)
    assert 0.85 <= np.mean(inside) <= 0.96
