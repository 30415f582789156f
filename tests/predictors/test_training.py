"""From a table to matrices."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from predictors import InvalidOutcomesError
from predictors.outcomes import Outcomes
from predictors.training import training_set


class Lengths:
    """The shortest feature extractor there is."""

    name = "length"
    n_surface = 1

    def extract(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([[float(len(text))] for text in texts])


def outcomes() -> Outcomes:
    rows = [
        {"prompt_id": "p2", "prompt": "long prompt", "model": "b", "score": 1.0, "benchmark": "quiz"},
        {"prompt_id": "p1", "prompt": "short", "model": "a", "score": 1.0, "benchmark": "quiz"},
        {"prompt_id": "p1", "prompt": "short", "model": "a", "score": 0.0, "benchmark": "quiz"},
    ]
    return Outcomes.from_table(pl.DataFrame(rows))


def test_prompts_are_rows_models_are_columns_and_repeats_are_averaged() -> None:
    training = training_set(outcomes(), Lengths())
    assert training.models == ("a", "b")
    np.testing.assert_array_equal(training.features, [[5.0], [11.0]])  # p1 "short", p2 "long prompt"
    np.testing.assert_array_equal(training.score, [[0.5, np.nan], [np.nan, 1.0]])
    assert training.domain.tolist() == ["quiz", "quiz"]


def test_names_that_stand_for_one_model_share_a_column() -> None:
    training = training_set(outcomes(), Lengths(), model_id=lambda _dataset, _name: "maker/one")
    assert training.models == ("maker/one",)
    np.testing.assert_array_equal(training.score, [[0.5], [1.0]])


def test_each_prompt_is_read_once_and_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    training_set(outcomes(), Lengths(), progress=lambda done, of: told.append((done, of)))
    assert told == [(2, 2)]


def test_one_id_for_two_prompts_is_refused() -> None:
    rows = {"prompt_id": ["p", "p"], "prompt": ["x", "y"], "model": ["a", "a"], "score": [1.0, 0.0]}
    with pytest.raises(InvalidOutcomesError, match=r"1 prompt_id\(s\) stand for several prompts"):
        training_set(Outcomes.from_table(pl.DataFrame(rows)), Lengths())
