import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import InvalidMeasurementError
from catalog.capability.compatibility import compare_answers, compare_scores, per_task


def test_five_answers_flip_as_counted_by_hand() -> None:
    told = compare_answers(old="ABADC", new="ACBDA", truth="ABCDA")
    assert told.negative == 0.2  # the second: B was right, C is wrong
    assert told.negative_changed == 0.4  # and the third: A was wrong, B is wrong too
    assert told.positive == 0.2  # the last
    assert told.still_right == pytest.approx(2 / 3)  # of three that were right
    assert (told.old_mean, told.new_mean) == (0.6, 0.6)


def test_equal_means_hide_flips() -> None:
    old, new = np.array([1.0, 0.0, 1.0, 1.0]), np.array([0.0, 1.0, 1.0, 1.0])
    told = compare_scores(old, new)
    assert told.old_mean == told.new_mean
    assert told.negative == told.positive == 0.25


def test_graded_scores_tell_how_far_they_rose_and_fell() -> None:
    told = compare_scores(np.array([0.5, 0.8, 0.2]), np.array([0.9, 0.6, 0.2]))
    assert told.gain == pytest.approx(0.4)
    assert told.regression == pytest.approx(0.2)
    assert told.negative == 0.0  # 0.6 still counts as right
    assert told.negative_changed is None


def test_each_task_is_reported_after_all_together() -> None:
    told = per_task(np.array([1.0, 1.0, 1.0, 1.0]), np.array([1.0, 0.0, 0.0, 0.0]), ["a", "a", "b", "b"])
    assert [(t.task, t.n, t.negative) for t in told] == [("all", 4, 0.75), ("a", 2, 0.5), ("b", 2, 1.0)]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1))
def test_right_and_wrong_add_up(pairs: list[tuple[bool, bool]]) -> None:
    old, new = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    told = compare_scores(old, new)
    assert told.new_mean - told.old_mean == pytest.approx(told.positive - told.negative)


def test_versions_that_answered_other_prompts_cannot_be_compared() -> None:
    with pytest.raises(InvalidMeasurementError):
        compare_answers("AB", "A", "AB")
    with pytest.raises(InvalidMeasurementError, match="both versions answered"):
        compare_scores(np.array([1.0]), np.array([np.nan]))
