import numpy as np
import pytest

from predictors.tools.second_stage.trees import TreeEnsemble

ensemble = pytest.importorskip("sklearn.ensemble", reason="growing trees needs scikit-learn")


@pytest.mark.parametrize("n_leaves", [2, 7, 15])
def test_the_arrays_score_as_the_library_that_grew_them(n_leaves: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2_000, 6)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] + 0.3 * rng.normal(size=2_000)) > 0
    model = ensemble.HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=n_leaves, random_state=0).fit(x, y)
    fresh = rng.normal(size=(300, 6)).astype(np.float32)
    assert TreeEnsemble.from_sklearn([model]).predict(fresh) == pytest.approx(model.decision_function(fresh), abs=1e-9)


def test_several_models_are_averaged() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(500, 3)).astype(np.float32)
    fits = [
        ensemble.HistGradientBoostingClassifier(max_iter=5, max_leaf_nodes=4, max_features=0.5, random_state=s).fit(
            x, y
        )
        for s, y in ((0, x[:, 0] > 0), (1, x[:, 1] > 0.5))
    ]
    mean = np.mean([model.decision_function(x) for model in fits], axis=0)
    assert TreeEnsemble.from_sklearn(fits).predict(x) == pytest.approx(mean, abs=1e-9)


def test_trees_that_never_split_give_the_baseline() -> None:
    x, y = np.zeros((50, 2), np.float32), np.arange(50) % 2 == 0
    model = ensemble.HistGradientBoostingClassifier(max_iter=3).fit(x, y)
    assert TreeEnsemble.from_sklearn([model]).predict(x[:4]) == pytest.approx(model.decision_function(x[:4]))


def test_scaled_trees_score_so_many_times_as_high() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 3)).astype(np.float32)
    model = ensemble.HistGradientBoostingClassifier(max_iter=5, max_leaf_nodes=4).fit(x, x[:, 0] > 0.8)
    trees = TreeEnsemble.from_sklearn([model])
    assert trees.scaled(0.25).predict(x) == pytest.approx(0.25 * trees.predict(x), abs=1e-12)
