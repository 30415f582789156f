"""One slope for all tasks, and what each task adds."""

import numpy as np
import numpy.typing as npt

from predictors.quality import RidgeHeads, TaskHeads, TrainingSet

LONG = 2  # the column that tells how long a prompt is


def two_tasks(*, n: int = 2000, seed: int = 0, apart: bool = True) -> TrainingSet:
    """Length makes sums harder and questions of fact easier; the first two columns tell the two tasks apart."""
    rng = np.random.default_rng(seed)
    task = np.arange(n) % 2
    length = rng.uniform(-1.0, 1.0, size=n)
    features = np.column_stack([3.0 * (task == 0), 3.0 * (task == 1), length]) + rng.normal(scale=0.05, size=(n, 3))
    chance = 0.5 + 0.4 * np.where(task == 0, -length, length)
    names = np.array(["set/sums", "set/facts"])[task] if apart else np.full(n, "set/all")
    return TrainingSet(
        features=features,
        score=(rng.random(n) < chance).astype(np.float64)[:, None],
        models=("only",),
        domain=names,
        group=np.arange(n).astype(np.str_),
    )


def lengthened(training: TrainingSet, task: int, by: float) -> npt.NDArray[np.float64]:
    """A typical prompt of the task, that much longer than usual."""
    typical = training.features[task::2].mean(axis=0)
    typical[LONG] += by
    return typical[None, :]


def test_the_same_feature_may_mean_opposite_things_in_two_tasks() -> None:
    training = two_tasks()
    fitted = TaskHeads(penalty=0.05, few=10.0).fit(training)
    for task, sign in ((0, -1.0), (1, 1.0)):
        usual, longer = (fitted.predict(lengthened(training, task, by)).mean[0, 0] for by in (0.0, 0.8))
        assert sign * (longer - usual) > 0.1  # the truth is 0.32, and shrunk


def test_common_heads_cannot_tell_that_and_make_of_it_nothing() -> None:
    training = two_tasks()
    fitted = RidgeHeads().fit(training)
    usual, longer = (fitted.predict(lengthened(training, 0, by)).mean[0, 0] for by in (0.0, 0.8))
    assert abs(longer - usual) < 0.04


def test_with_a_single_task_they_are_the_common_heads() -> None:
    training = two_tasks(apart=False)
    both = TaskHeads().fit(training), RidgeHeads().fit(training)
    corrected, common = (fitted.predict(training.features).mean for fitted in both)
    np.testing.assert_array_equal(corrected, common)


def test_a_task_with_a_handful_of_prompts_is_hardly_corrected() -> None:
    training = two_tasks()
    few = training.only(np.concatenate([np.arange(0, 2000, 2), np.arange(1, 60, 2)]))  # 1,000 sums, 30 facts
    fitted = TaskHeads(penalty=0.05).fit(few)
    at_length, usual = lengthened(training, 1, 0.8), lengthened(training, 1, 0.0)
    added = fitted.predict(at_length).mean - fitted.common.predict(at_length).mean
    added -= fitted.predict(usual).mean - fitted.common.predict(usual).mean
    assert abs(added[0, 0]) < 0.05
