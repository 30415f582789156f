from dataclasses import replace

import numpy as np
import pytest

from eval.contenders.learners import FeatureMemory, Learner, TfidfNeighbours, TfidfRidge
from tests.eval.tables import specialists

TABLE = specialists()


def test_neighbours_tell_maths_from_poems() -> None:
    found = TfidfNeighbours(n_neighbours=10).fit(TABLE)(["prime theorem number 7", "rose moon number 7"])
    assert found.mean.round(1).tolist() == [[1, 0, 1], [0, 1, 1]]


def test_ridge_ranks_the_specialist_first() -> None:
    found = TfidfRidge(alpha=1.0).fit(TABLE)(["prime theorem number 7", "rose moon number 7"])
    assert found.mean[0, 0] > 0.8 > found.mean[0, 1]
    assert found.mean[1, 1] > 0.8 > found.mean[1, 0]


def test_a_model_no_neighbour_tried_is_worth_its_overall_mean() -> None:
    part = specialists(20)
    part.score[part.benchmark == "poem", 0] = np.nan
    found = TfidfNeighbours(n_neighbours=5).fit(part)(["rose moon verse"])
    assert found.mean[0, 0] == 1.0  # abacus was right on all maths, and never met a poem


def test_features_of_a_prompt_are_computed_once() -> None:
    seen: list[str] = []

    class Counting:
        n_surface = 1

        def extract(self, texts: list[str]) -> np.ndarray:
            seen.extend(texts)
            return np.array([[float(len(t))] for t in texts])

    memory = FeatureMemory(Counting())
    assert memory.extract(["a", "bb", "a"]).tolist() == [[1], [2], [1]]
    assert memory.extract(["bb", "ccc"]).tolist() == [[2], [3]]
    assert seen == ["a", "bb", "ccc"]


@pytest.mark.parametrize("learner", [TfidfNeighbours(), TfidfRidge()])
@pytest.mark.parametrize("prompts", [("7", "8", "?"), ("素数は無限にある", "首都はどこ", "詩を書いて")])
def test_prompts_that_share_no_word_teach_the_mean(learner: Learner, prompts: tuple[str, ...]) -> None:
    table = replace(specialists(2).take(np.arange(3)), prompt=prompts)
    estimate = learner.fit(table)(["another", "素数"])
    assert estimate.mean == pytest.approx(np.tile(table.score.mean(axis=0), (2, 1)))


@pytest.mark.parametrize("learner", [TfidfNeighbours(), TfidfRidge()])
def test_one_shared_word_is_enough(learner: Learner) -> None:
    table = replace(specialists(2).take(np.arange(3)), prompt=("one", "one", "?"))
    assert np.isfinite(learner.fit(table)(["one", "none"]).mean).all()
