import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictors.encoders.spelling import Spelling

WORDS = {"other": 1, "theorem": 2, "mother": 3, "sprint": 4, "sprints": 5, "cat": 6}
SPELLING = Spelling(WORDS)
ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def meant(word: str, spelling: Spelling = SPELLING) -> int | None:
    return spelling.tokens([word.encode()])[0]


@pytest.mark.parametrize(
    ("word", "token"),
    [
        ("thoerem", 2),  # two neighbours swapped
        ("theoorem", 2),  # a letter too many
        ("therem", 2),  # one missing
        ("theorwm", 2),  # a wrong one
        ("heorem", 2),  # the first one missing
        ("theore", 2),  # the last one missing
        ("theoremx", 2),
    ],
)
def test_a_word_one_slip_away_is_found(word: str, token: int) -> None:
    assert meant(word) == token


@pytest.mark.parametrize("word", ["theroem2", "tehoerm", "cta", "bicycle", "", "thé-orem"])
def test_two_slips_short_words_and_what_is_no_plain_word_are_left_alone(word: str) -> None:
    assert meant(word) is None


def test_likelier_slips_go_first_and_then_the_commoner_word() -> None:
    assert meant("pother") == 1  # a letter too many in "other" rather than a wrong one in "mother"
    assert meant("xother") == 1
    assert meant("spritn", Spelling({"sprint": 9, "sprit": 1})) == 9  # swapped rather than one too many
    assert meant("sprinx", Spelling({"sprint": 9, "spring": 1})) == 1  # both a wrong letter away


def test_company_changes_nothing() -> None:
    words = [b"thoerem", b"moter", b"nothing", b"x", b"theirem" * 3, b"spritns", b"othermotherothermoth"]
    assert SPELLING.tokens(words * 100) == [SPELLING.tokens([word])[0] for word in words] * 100


def test_no_word_is_one_slip_away_from_nothing() -> None:
    assert meant("theorem", Spelling({})) is None
    assert SPELLING.tokens([]) == []


def edits(word: str) -> set[str]:
    """Every text one slip away, by brute force."""
    pairs = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    return {
        *(a + b[1] + b[0] + b[2:] for a, b in pairs if len(b) > 1),
        *(a + b[1:] for a, b in pairs if b),
        *(a + c + b[1:] for a, b in pairs if b for c in ALPHABET),
        *(a + c + b for a, b in pairs for c in ALPHABET),
    }


@given(
    st.lists(st.text("abc", min_size=4, max_size=7), min_size=1, unique=True), st.text("abc", min_size=4, max_size=7)
)
def test_it_finds_what_trying_all_slips_finds(known: list[str], word: str) -> None:
    spelling = Spelling({w: n for n, w in enumerate(known)})
    if word not in known:
        near = edits(word) & set(known)
        found = meant(word, spelling)
        assert (found is None) == (not near)
        assert found is None or known[found] in near
        assert spelling.tokens([word.encode()] * 9) == [found] * 9  # by arrays


def test_its_memory_is_a_few_bytes_per_letter() -> None:
    rng = np.random.default_rng(0)
    words = {"".join(rng.choice(list(ALPHABET), size=8)): n for n in range(2_000)}
    assert Spelling(words).n_bytes < 2_000 * 9 * 17
