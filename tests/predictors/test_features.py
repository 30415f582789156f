import numpy as np
import pytest

from predictors.encoders import open_encoder
from predictors.features import SURFACE_FEATURES, Features, surface_of


@pytest.fixture(scope="module")
def features() -> Features:
    return Features(open_encoder("static"))


def surface(text: str) -> dict[str, float]:
    return dict(zip(SURFACE_FEATURES, surface_of(text).tolist(), strict=True))


def test_the_surface_is_counted_by_hand() -> None:
    found = surface("Is 12 > 9?\n$x$")  # 14 characters
    assert found["log_characters"] == pytest.approx(np.log(15))
    assert found["log_words"] == pytest.approx(np.log(5))  # four gaps between five words
    assert found["log_lines"] == pytest.approx(np.log(2))
    assert found["digits"] == pytest.approx(3 / 14)
    assert found["latex"] == pytest.approx(2 / 14)
    assert found["operators"] == pytest.approx(1 / 14)
    assert found["question_marks"] == pytest.approx(1 / 14)


def test_what_makes_a_word_problem_long_winded_is_counted_by_hand() -> None:
    text = (
        "Each of 3 men has 12 hats, and each of 3 boys has twice as many.  How many\nhats are there? Not one is lost."
    )
    found = surface(text)
    assert found["log_numbers"] == pytest.approx(np.log(4))
    assert found["log_distinct_numbers"] == pytest.approx(np.log(3))
    assert found["log_sentences"] == pytest.approx(np.log(3))  # ends before a blank; the last one has none
    assert found["log_commas"] == pytest.approx(np.log(2))
    assert found["log_distinct_words"] == pytest.approx(np.log(20))  # each, of, has, many, hats and 3 count once
    assert found["comparing_words"] == pytest.approx(np.log(3))  # twice, as
    assert found["sharing_words"] == pytest.approx(np.log(2))  # each, which counts once
    assert found["counting_words"] == pytest.approx(np.log(2))  # one
    assert found["units"] == 0.0
    assert found["negations"] == pytest.approx(np.log(2))  # not
    assert found["asking_words"] == pytest.approx(np.log(3))  # how, many


def test_words_are_told_apart_in_the_first_thousand_bytes_only() -> None:
    filler = "word " * 200
    assert surface(filler + "not")["negations"] == 0.0
    assert surface("not " + filler)["negations"] > 0.0


@pytest.mark.parametrize("blank", ["\t", "\x1c", "  "])
def test_any_white_space_is_one_blank_and_none_at_either_end(blank: str) -> None:
    assert surface(f" one{blank}two, three. ") == surface("one two, three.")


@pytest.mark.parametrize("words", ["two  words, \t", "tw\u00f6  w\u00f6rds, \t", "tw\u00f6\u3000words, \t"])
@pytest.mark.parametrize("repeated", [1, 60])  # as bytes are counted, and as arrays count
def test_words_and_characters_of_a_text_are_counted_however_long_it_is(words: str, repeated: int) -> None:
    found = surface(" \n" + words * repeated + "end\x0b")
    assert found["log_words"] == pytest.approx(np.log(1 + 2 * repeated))
    assert found["log_characters"] == pytest.approx(np.log(1 + 11 * repeated + 3))


def test_a_few_features_are_the_first_of_all() -> None:
    encoder, texts = open_encoder("static"), ["What is 3 times 4?", "Not one \u00fc", ""]
    few = Features(encoder, n_surface=15).extract(texts)
    np.testing.assert_array_equal(few, Features(encoder).extract(texts)[:, : few.shape[1]])


def test_white_space_beyond_ascii_parts_words_too() -> None:
    assert surface("für\u3000zwei\u00a0Leute")["log_words"] == surface("für zwei Leute")["log_words"]


def test_options_code_and_json_are_seen() -> None:
    assert surface("Which?\nA. one\nB. two\n(C) three")["log_options"] == pytest.approx(np.log(4))
    assert surface("```\ndef f(): return 1\n```")["code_words"] == pytest.approx(np.log(5))
    assert surface("Answer in JSON")["asks_for_json"] == 1.0
    assert surface("answer in json")["asks_for_json"] == 1.0


def test_what_does_not_change_a_question_does_not_change_its_features(features: Features) -> None:
    question = "Which gas do plants take in?\nA. Oxygen\nB. Carbon dioxide\nC. Argon"
    same = [
        question.lower(),
        f"  {question}  \n",
        question.replace("\n", "\n\n").replace(" ", "  "),
        "Which gas do plants take in?\n(a) Oxygen\n[2] Carbon dioxide\n iii) Argon",
        question.replace("plants", "palnts"),
        question.replace("plants", "plantss"),
        question.replace("Carbon", "Carboh"),
    ]
    rows = features.extract([question, *same])
    np.testing.assert_allclose(rows[1:6], np.tile(rows[0], (5, 1)), atol=1e-12)
    np.testing.assert_allclose(rows[6:], np.tile(rows[0], (2, 1)), atol=0.01)  # one letter more, or another, counts


def test_a_mark_of_an_option_is_no_word_of_the_question() -> None:
    assert surface("Which?\nA. one\nB. two")["log_words"] == surface("Which? one two")["log_words"]
    assert surface("x\nI. e. nothing at all")["log_options"] > 0  # what looks like a mark is taken for one
    assert surface("x = f(a) + [b]")["log_options"] == 0  # a mark stands at the beginning of a line


def test_chinese_is_beyond_ascii_and_cjk_while_german_is_only_beyond_ascii() -> None:
    chinese, german = surface("法国"), surface("für")
    assert (chinese["non_ascii"], chinese["cjk"]) == (1.0, 1.0)
    assert (german["non_ascii"], german["cjk"]) == (pytest.approx(1 / 3), 0.0)


def test_a_row_is_the_encoding_then_the_surface(features: Features) -> None:
    text = "What is the capital of France?"
    row = features.extract([text])[0]
    assert row.shape == (features.dim,) == (256 + len(SURFACE_FEATURES),)
    assert row.dtype == np.float64
    np.testing.assert_allclose(row[: features.encoding_dim], features.encoder.encode([text])[0])


def test_no_surface_feature_leaves_four_standard_deviations(features: Features) -> None:
    rows = features.extract(["", "?" * 10_000, "\n" * 10_000, "法" * 10_000, "\ud800"])
    assert np.abs(rows[:, features.encoding_dim :]).max() <= 4.0 / 16.0  # divided by the root of 256
    assert np.isfinite(rows).all()


def test_a_text_has_the_same_features_alone_and_in_a_batch(features: Features) -> None:
    texts = ["a question?", "def f(): pass", ""]
    np.testing.assert_array_equal(features.extract(texts), np.concatenate([features.extract([t]) for t in texts]))
    assert features.extract([]).shape == (0, features.dim)


def test_the_name_follows_the_encoder(features: Features) -> None:
    assert features.name.startswith(features.encoder.name)


def test_a_name_stands_for_the_features_of_its_time_which_are_the_first_of_todays(features: Features) -> None:
    earlier = Features.named(f"{features.encoder.name}+surface15.3", features.encoder)
    assert earlier.name == f"{features.encoder.name}+surface15.3"
    assert earlier.begin(features)
    assert not features.begin(earlier)
    text = ["Is 12 > 9?"]
    np.testing.assert_array_equal(earlier.extract(text), features.extract(text)[:, : 256 + 15])
    assert Features.named(features.name, features.encoder).name == features.name
    assert Features.named("a name of another kind", features.encoder).name == features.name


@pytest.mark.parametrize("repeated", [5, 500])
def test_code_words_and_sentences_are_counted_however_long_the_text_is(repeated: int) -> None:
    found = surface("In function f, return x. Is it important? undef class returned! Yes..\n" * repeated)
    assert found["code_words"] == pytest.approx(np.log(1 + 4 * repeated))  # "function ", "return ", "def ", "class "
    assert found["log_sentences"] == pytest.approx(np.log(4 * repeated))  # no blank follows the last
