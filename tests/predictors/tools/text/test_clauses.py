import pytest

from predictors.tools.text.clauses import clauses_of


def test_the_whole_text_comes_first_and_its_steps_after_it() -> None:
    text = "Find me a hotel, and then book a red cab. Tell the others when"
    assert clauses_of(text) == [text, "Find me a hotel", "book a red cab", "Tell the others when"]


def test_one_step_stands_alone() -> None:
    assert clauses_of("what is the weather in Bern?") == ["what is the weather in Bern?"]


def test_short_enumerations_are_not_torn_apart() -> None:
    assert clauses_of("paint it red, green and blue") == ["paint it red, green and blue"]


def test_there_are_at_most_eight_parts() -> None:
    assert len(clauses_of(". ".join(f"do the thing number {i}" for i in range(30)))) == 9


def test_nothing_is_one_clause() -> None:
    assert clauses_of("") == [""]


@pytest.mark.parametrize("run", [" ", "\r", ".", "!?", ", ", " and"])
def test_a_long_run_of_blanks_or_stops_takes_no_longer_than_it_is_long(run: str) -> None:
    """Two thousand blanks, as pasted tables have, took half a second, and as many turns as a conversation has."""
    for turn in range(300):
        clauses_of(run * 2_000 + f"x{turn}")


def test_blanks_around_a_boundary_belong_to_it() -> None:
    text = "find a red car,\n\n  ...then sell it to me  \r  and  buy some more bread  "
    assert clauses_of(text)[1:] == ["find a red car", "...then sell it to me", "buy some more bread"]
