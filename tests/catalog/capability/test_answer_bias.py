import pytest

from catalog import InvalidMeasurementError
from catalog.capability.answer_bias import position_bias, yes_bias

QUESTIONS = [("capital of France?", ["Rome", "Paris", "Oslo", "Bern"]), ("largest?", ["ant", "cat", "cow", "whale"])]
RIGHT = {"Paris", "whale"}


def test_a_model_that_knows_moves_with_the_option() -> None:
    told = position_bias(lambda _, options: next(k for k, o in enumerate(options) if o in RIGHT), QUESTIONS)
    assert told.share.tolist() == [0.25] * 4
    assert (told.bias, told.consistency, told.n_answers) == (0.0, 1.0, 8)


def test_a_model_that_always_says_a_is_as_biased_as_can_be() -> None:
    told = position_bias(lambda _, options: 0, QUESTIONS)
    assert (told.bias, told.consistency) == (0.75, 0.0)


def test_an_answer_that_is_no_option_counts_for_no_position() -> None:
    told = position_bias(lambda _, options: 1 if options[0] == "Rome" else None, QUESTIONS)
    assert (told.n_answers, told.share.tolist()) == (1, [0.0, 1.0, 0.0, 0.0])
    with pytest.raises(InvalidMeasurementError, match="no question was answered"):
        position_bias(lambda _, options: None, QUESTIONS)


def test_yes_to_everything_contradicts_itself_every_time() -> None:
    told = yes_bias(lambda _: True, [("it is day", "it is night"), ("2 > 1", "2 <= 1")])
    assert (told.yes_share, told.bias, told.contradictions) == (1.0, 0.5, 1.0)


def test_a_consistent_model_has_no_bias_and_unclear_pairs_do_not_count() -> None:
    told = yes_bias(lambda s: None if "?" in s else not s.startswith("not"), [("a", "not a"), ("b?", "not b")])
    assert (told.bias, told.contradictions, told.n_pairs) == (0.0, 0.0, 1)
    with pytest.raises(InvalidMeasurementError):
        yes_bias(lambda _: None, [("a", "b")])


def test_questions_of_different_length_are_refused() -> None:
    with pytest.raises(InvalidMeasurementError, match="equally many"):
        position_bias(lambda _, options: 0, [("a", ["x", "y"]), ("b", ["x", "y", "z"])])
