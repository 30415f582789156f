"""Folds by question."""

import numpy as np

from predictors.folds import group_folds


def test_a_group_is_never_on_both_sides_and_its_fold_does_not_depend_on_the_others() -> None:
    group = np.array(["a", "b", "a", "c"])
    folds = group_folds(group, 5, seed=3)
    assert folds[0] == folds[2]
    np.testing.assert_array_equal(group_folds(group[::-1], 5, seed=3), folds[::-1])
    assert group_folds(np.array(["c"]), 5, seed=3)[0] == folds[3]


def test_folds_are_about_equally_large_and_change_with_the_seed() -> None:
    group = np.array([f"question {i}" for i in range(5000)])
    folds = group_folds(group, 5, seed=0)
    assert np.bincount(folds).min() > 900
    assert np.mean(folds == group_folds(group, 5, seed=1)) < 0.3
