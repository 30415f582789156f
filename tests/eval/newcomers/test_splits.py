"""Who is new."""

from datetime import date

import numpy as np

from catalog import ModelProfile
from eval.newcomers.splits import left_out


def models(*named: str) -> list[ModelProfile]:
    return [ModelProfile(id=name, name=name, released=date(2024, 1, 1 + i)) for i, name in enumerate(named)]


def test_each_model_is_left_out_once() -> None:
    splits = list(left_out(models("a/1", "a/2", "b/1", "b/2", "c/1"), "models"))
    assert len(splits) == 5
    assert sum(new for _, new in splits).tolist() == [1] * 5
    assert all((known != new).all() for known, new in splits)


def test_a_family_goes_as_a_whole() -> None:
    (_, first), *_ = left_out(models("a/1", "a/2", "b/1", "b/2", "c/1", "c/2"), "families")
    assert first.tolist() == [True, True, False, False, False, False]


def test_the_older_half_predicts_the_younger_one() -> None:
    ((known, new),) = left_out(models(*(f"a/{i}" for i in range(8))), "newer")
    assert known.tolist() == [True] * 4 + [False] * 4
    assert new.tolist() == [False] * 4 + [True] * 4


def test_models_without_a_date_take_no_part_in_old_and_new() -> None:
    undated = [ModelProfile(id=f"a/{i}", name="x") for i in range(20)]
    assert list(left_out(undated, "newer")) == []


def test_too_few_others_teach_nothing() -> None:
    assert list(left_out(models("a/1", "a/2", "a/3"), "families")) == []
    assert np.sum([1 for _ in left_out(models("a/1", "b/2", "c/3"), "models")]) == 0
