import pytest

from predictors.tools.text import words
from predictors.tools.text.words import words_of


@pytest.mark.parametrize("name", ["getUserName", "get_user_names", "GET user-name", "get.user.name", "getUSERName"])
def test_ways_of_writing_a_name_give_the_same_words(name: str) -> None:
    assert words_of(name) == ["get", "user", "nam"]


def test_stop_words_go_and_repeats_stay() -> None:
    assert words_of("the rain and the rain") == ["rain", "rain"]


@pytest.mark.parametrize(
    ("forms", "stem"), [("cities city", "city"), ("booking booked books book", "book"), ("planning plan", "plan")]
)
def test_forms_of_a_word_share_a_stem(forms: str, stem: str) -> None:
    assert set(words_of(forms)) == {stem}


def test_short_words_and_words_in_ss_us_is_keep_their_end() -> None:
    assert words_of("gas red class status analysis") == ["gas", "red", "class", "status", "analysis"]


def test_ideograms_become_overlapping_pairs() -> None:
    assert words_of("搜索网页 a") == ["搜索", "索网", "网页"]


def test_odd_text_gives_no_words_and_no_error() -> None:
    assert words_of("") == words_of("?!\ud800 \x00") == []


def test_what_is_too_long_for_a_word_is_read_alike_and_not_remembered() -> None:
    kept = words._known_run.cache_info().currsize, words._stem.cache_info().currsize
    long = "ab" * 500
    assert words_of(f"{long}s B{long}ing") == [long, f"b{long}"]
    assert words_of(f"\u00e9{long}ies") == [f"\u00e9{long}y"]
    assert (words._known_run.cache_info().currsize, words._stem.cache_info().currsize) == kept
