"""Questions made by rule."""

from pathlib import Path

import pytest

from catalog.capability.format_spread import PromptFormat
from eval.errors import InvalidReplayError
from eval.probing.bank import STATEMENTS, Question, make_questions, read_questions


def test_the_same_seed_makes_the_same_different_questions() -> None:
    made = make_questions(200)
    assert made == make_questions(200)
    assert len({question.text for question in made}) == 200
    assert all(len(set(question.options)) == len(question.options) for question in made)


def test_sums_are_right() -> None:
    for question in make_questions(300):
        if question.text.startswith("What is ") and " + " in question.text:
            a, b = question.text.removeprefix("What is ").removesuffix("?").split(" + ")
            assert question.options[question.right] == str(int(a) + int(b))


def test_no_place_is_right_much_more_often_than_another() -> None:
    places = [question.right for question in make_questions(400) if len(question.options) == 4]
    assert all(0.15 < places.count(at) / len(places) < 0.35 for at in range(4))


def test_an_answer_counts_by_its_mark_or_else_by_its_text() -> None:
    question = Question(domain="", text="?", options=("Paris", "Rome"), right=0)
    assert question.chosen("A.") == 0
    assert question.chosen("(B) Rome") == 1
    assert question.chosen("It is Rome") == 1
    assert question.chosen("Paris or Rome") is None
    assert question.chosen("Apples") is None  # begins with a mark, but is a word


def test_marks_follow_the_layout() -> None:
    question = Question(domain="", text="?", options=("x", "y", "z"), right=2)
    layout = PromptFormat(numbering="i", wrapper="({})")
    assert "(iii)" in question.prompt(layout)
    assert question.chosen("iii", layout) == 2


def test_own_questions_are_read_and_a_bad_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    file.write_text('{"question": "2 + 2?", "options": ["3", "4"], "right": 1}\n')
    (question,) = read_questions(file)
    assert question.options[question.right] == "4"
    file.write_text('{"question": "2 + 2?", "options": ["3", "4"], "right": 2}\n')
    with pytest.raises(InvalidReplayError, match="line 1"):
        read_questions(file)


def test_every_statement_has_its_negation() -> None:
    assert all("not" in negation and "not" not in statement for statement, negation in STATEMENTS)


def test_a_single_letter_is_not_named_by_a_word_that_holds_it() -> None:
    question = Question(domain="letters", text="Which letter comes first?", options=("n", "q", "x", "z"), right=0)
    assert question.chosen("none of them") is None
    assert question.chosen("It is n.") == 0
