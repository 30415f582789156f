from predictors.tools.clauses import clauses_of


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
