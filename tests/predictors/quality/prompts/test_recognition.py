"""Tasks that were learned from, and strange ones."""

import numpy as np
import pytest

from predictors.errors import NotFittedError
from predictors.quality.prompts.recognition import TaskRecognition, task_folds, tasks_of
from predictors.quality.protocol import Matrix

TASKS = 6
CENTRES = 4.0 * np.eye(TASKS + 1)  # the last one is never learned from


def prompts(task: int, n: int, rng: np.random.Generator) -> Matrix:
    drawn: Matrix = CENTRES[task] + rng.normal(size=(n, TASKS + 1))
    return drawn


def learned(rng: np.random.Generator) -> TaskRecognition:
    features = np.concatenate([prompts(task, 60, rng) for task in range(TASKS)])
    domain = np.repeat([f"set/task{task}" for task in range(TASKS)], 60)
    return TaskRecognition().fit(features, domain)


def test_prompts_of_learned_tasks_are_recognised_and_those_of_a_strange_one_are_not() -> None:
    rng = np.random.default_rng(0)
    recognition = learned(rng)
    known = recognition.probability(np.concatenate([prompts(task, 50, rng) for task in range(TASKS)]))
    strange = recognition.probability(prompts(TASKS, 200, rng))
    assert np.median(known) > 0.7
    assert np.median(strange) < 0.3


def test_nine_in_ten_known_prompts_are_trusted_whole_and_strange_ones_hardly() -> None:
    rng = np.random.default_rng(3)
    recognition = learned(rng)
    known = recognition.trust(np.concatenate([prompts(task, 100, rng) for task in range(TASKS)]))
    assert np.mean(known == 1.0) == pytest.approx(0.9, abs=0.06)
    assert recognition.trust(prompts(TASKS, 200, rng)).mean() < 0.5


def test_a_prompt_between_two_tasks_is_stranger_than_one_inside() -> None:
    recognition = learned(np.random.default_rng(1))
    inside, between = recognition.probability(np.stack([CENTRES[0], CENTRES[:TASKS].mean(axis=0)]))
    assert inside > between


def test_what_is_saved_says_the_same() -> None:
    rng = np.random.default_rng(2)
    fitted = learned(rng)
    restored = TaskRecognition().restore(
        origin=fitted.origin_,
        directions=fitted.directions_,
        places=fitted.places_,
        ratio=fitted.ratio_,
        scale=fitted.scale_,
    )
    queries = prompts(3, 5, rng)
    np.testing.assert_array_equal(restored.probability(queries), fitted.probability(queries))


def test_an_unfitted_recognition_says_so() -> None:
    with pytest.raises(NotFittedError):
        TaskRecognition().probability(np.zeros((1, 3)))


def test_tasks_are_benchmarks_where_there_are_three_and_subjects_where_there_are_fewer() -> None:
    several = np.array(["a/gsm8k/math", "b/gsm8k", "a/mmlu/law", "a/mbpp/code"])
    assert tasks_of(several).tolist() == ["gsm8k", "gsm8k", "mmlu", "mbpp"]
    few = np.array(["a/mmlu/law"] * 20 + ["a/mmlu/physics"] * 20)
    assert set(tasks_of(few).tolist()) == {"a/mmlu/law", "a/mmlu/physics"}


def test_folds_keep_tasks_whole_and_about_equally_large() -> None:
    task = np.array(["big"] * 6 + ["middle"] * 4 + ["small"] * 2)
    fold = task_folds(task, 2)
    assert [len(set(fold[task == name].tolist())) for name in ("big", "middle", "small")] == [1, 1, 1]
    assert np.bincount(fold).tolist() == [6, 6]
