"""A prompt's layout: whatever format of FormatSpread's grammar it has, the same text is left of it."""

import numpy as np
import pytest

from catalog.capability.format_spread import PromptFormat, draw_formats
from predictors.layout import without_layout

QUESTION = "Which of these rusts in the rain, not in dry air?\n"
OPTIONS = ["Iron", "gold, pure", "A ring of 24 carat gold", "none of them"]
FORMATS = draw_formats(2_000, rng=np.random.default_rng(0))


def told(text: str) -> tuple[list[str], int]:
    """What features can see of a text: words in small letters by lines, and how many marks there were."""
    plain, n_marks = without_layout(text)
    return [" ".join(line.lower().split()) for line in plain.split("\n") if line.strip()], n_marks


def test_options_read_alike_in_every_format() -> None:
    expected = ([QUESTION.strip().lower(), *map(str.lower, OPTIONS)], len(OPTIONS))
    for drawn in FORMATS:
        assert told(QUESTION + drawn.options(OPTIONS)) == expected, drawn
        assert told(QUESTION + drawn.options(OPTIONS) + "\nAnswer:")[1] == len(OPTIONS), drawn


def test_fields_read_alike_in_every_format() -> None:
    text = "Answer with one word.\n" + QUESTION
    for drawn in FORMATS:
        named = [("Context", "Iron rusts."), ("Question", "What rusts?"), ("Answer", "")]
        fields = "\n".join(drawn.fields([field]) for field in named)
        assert told(text + fields)[0] == [*told(text)[0], "context iron rusts.", "question what rusts?", "answer"], (
            drawn
        )


def test_each_list_of_several_is_found_for_itself() -> None:
    plain, n_marks = without_layout("One\nA. x\nB. y\n\nTwo\nA. v B. w\nThree\n(1) p (2) q\nrest (3) r")
    assert plain == "One\nx\ny\n\nTwo\nv\nw\nThree\np\nq\nrest (3) r"
    assert n_marks == 6


@pytest.mark.parametrize(
    "text",
    [
        "x = f(a) + [b]",
        "see (1) and (2)",  # no line begins with a mark
        "the year 1.\nSo it was 2.",
        "He said so.\nThen she left - for good.\nAnd http://a.b/c: d",
        "two words: three",
        "\na.b and then c.d",
    ],
)
def test_other_text_is_left_as_it_is(text: str) -> None:
    assert without_layout(text) == (text, 0)


def test_a_bracket_that_closes_otherwise_marks_nothing() -> None:
    assert without_layout("Which?\n(A] x\n(B] y")[1] == 0


def test_two_marks_within_words_make_no_list_unless_brackets_set_them_off() -> None:
    assert without_layout("Where?\na.out and b.out")[1] == 0
    assert without_layout("Which?\n[a]iron[b]gold") == ("Which?\niron\ngold", 2)
    assert without_layout("Which?\na.iron,b.gold,c.tin") == ("Which?\niron\ngold\ntin", 3)


@pytest.mark.parametrize(
    "piece",
    [
        "\n1)",
        "\n1) \n2) ",
        "\n(i) (ii) ",
        "\nA. x B. ",
        "\n1..",
        "\nword-\n",
        "\nword",
        "<sep>",
        "\n",
        " ",
        "\n<1><sep>",
    ],
)
def test_hostile_repetitions_are_read_in_one_pass(piece: str) -> None:
    """A reading that grew with the square of the length would take minutes here."""
    for text in (piece * 30_000, "\n1)" + piece * 30_000 + "\n2)", "\n<1>" + piece * 30_000 + "<2>"):
        plain, n_marks = without_layout(text)
        assert len(plain) <= len(text) + 1
        assert n_marks <= len(text)


@pytest.mark.parametrize(
    ("text", "plain", "n_marks"),
    [
        ("A. iron B. gold", "\niron\ngold", 2),
        ("(i)iron(ii)gold", "\niron\ngold", 2),
        ("  [1] iron; [2] gold", "\niron\ngold", 2),
        ("Question: why", "Question why", 0),
        ("question - why", "question why", 0),
        ("Why not 1. this or 2. that?", "Why not 1. this or 2. that?", 0),
    ],
)
def test_a_text_of_one_line_is_read_like_any_other(text: str, plain: str, n_marks: int) -> None:
    assert without_layout(text) == (plain.removeprefix("\n"), n_marks)
    below, n_below = without_layout("Say.\n" + text)
    assert (below.removeprefix("Say.\n"), n_below) == (plain.removeprefix("\n"), n_marks)


def test_a_lone_mark_is_a_mark_still() -> None:
    assert without_layout("So\n3) it was") == ("So\nit was", 1)


def test_the_customary_format_is_the_grammars_first() -> None:
    assert FORMATS[0] == PromptFormat()
