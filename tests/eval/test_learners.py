import numpy as np

from eval.learners import FeatureMemory, TfidfNeighbours, TfidfRidge

from .tables import specialists

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
