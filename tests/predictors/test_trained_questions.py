from pathlib import Path

import numpy as np
import pytest

from predictors import BadArtefactError
from predictors.trained_questions import QUESTIONS_FILE, TrainedQuestions


def test_a_question_is_known_however_it_is_spaced_or_capitalised(tmp_path: Path) -> None:
    TrainedQuestions.of(["What is 2 + 2?", "Name a river."]).save(tmp_path)
    seen = TrainedQuestions.load(tmp_path)
    assert len(seen) == 2
    assert seen.among(["what is\n2+2", "Name a lake.", "Name a river."]).tolist() == [True, False, True]
    assert seen.among([]).shape == (0,)


def test_a_predictor_that_says_nothing_has_seen_nothing(tmp_path: Path) -> None:
    assert TrainedQuestions.load(tmp_path).among(["a"]).tolist() == [False]


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY"])
def test_a_damaged_list_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / QUESTIONS_FILE).write_bytes(content)
    with pytest.raises(BadArtefactError, match="cannot be read"):
        TrainedQuestions.load(tmp_path)


def test_a_list_of_something_else_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / QUESTIONS_FILE, np.zeros((2, 2)))
    with pytest.raises(BadArtefactError, match="holds no list of questions"):
        TrainedQuestions.load(tmp_path)
