import numpy as np
import pytest

from predictors.tools.second_stage.listwise import fit_listwise, softmax


def test_the_weight_of_the_only_useful_feature_grows_and_the_other_stays() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 5, 2)).astype(np.float32)
    relevant = x[:, :, 0] == x[:, :, 0].max(axis=1, keepdims=True)
    weights = fit_listwise(x, relevant, prior=np.zeros(2), ridge=1.0)
    assert weights[0] > 3.0
    assert abs(weights[1]) < 0.5


def test_at_the_optimum_a_small_step_in_any_direction_does_not_help() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 4, 3)).astype(np.float32)
    relevant = rng.random((40, 4)) < 0.4

    def loss(weights: np.ndarray) -> float:
        kept = relevant.any(axis=1)
        target = relevant[kept] / relevant[kept].sum(axis=1, keepdims=True)
        return float(-(target * np.log(softmax(x[kept] @ weights))).sum() + 0.5 * 2.0 * ((weights - 1.0) ** 2).sum())

    weights = fit_listwise(x, relevant, prior=np.ones(3), ridge=2.0)
    for axis in np.eye(3):
        assert loss(weights) <= min(loss(weights + 1e-3 * axis), loss(weights - 1e-3 * axis))


def test_without_a_single_relevant_candidate_the_prior_stands() -> None:
    weights = fit_listwise(np.ones((3, 2, 2), np.float32), np.zeros((3, 2), bool), prior=np.array([1.0, 2.0]))
    assert weights.tolist() == [1.0, 2.0]


def test_shares_add_up_to_one_even_for_huge_scores() -> None:
    assert softmax(np.array([[1e5, 1e5], [-1e5, 0.0]])) == pytest.approx(np.array([[0.5, 0.5], [0.0, 1.0]]))


def test_a_candidate_of_unknown_label_changes_nothing() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, 4, 2)).astype(np.float32)
    relevant = x[:, :, 0] == x[:, :3, 0].max(axis=1, keepdims=True)
    known = np.ones(relevant.shape, dtype=bool)
    known[:, 3] = False  # the fourth may be needed as well, nobody wrote it down
    without = fit_listwise(x[:, :3], relevant[:, :3], prior=np.zeros(2))
    assert fit_listwise(x, relevant & known, prior=np.zeros(2), known=known) == pytest.approx(without)
