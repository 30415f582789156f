import pytest

from predictors.tokens import estimate_tokens


def test_a_text_costs_the_sum_of_its_bytes() -> None:
    assert estimate_tokens("") == 0.0
    assert estimate_tokens("go to 42") == pytest.approx(4 * 0.098 + 2 * 0.622 + 2 * 0.968)  # 3.57; cl100k says 4


def test_a_character_beyond_ascii_counts_once_however_many_bytes_it_has() -> None:
    assert estimate_tokens("日本語") == pytest.approx(3 * 1.3)
    assert estimate_tokens("é") == pytest.approx(0.9)
    assert estimate_tokens("日本語".encode()) == estimate_tokens("日本語")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        # Counted with tiktoken's cl100k_base.
        ("The quick brown fox jumps over the lazy dog.", 10),
        ("Janet's ducks lay 16 eggs per day. She eats three for breakfast every morning.", 19),
        ('{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}', 25),
    ],
)
def test_the_estimate_is_near_the_tokenizers_count(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == pytest.approx(tokens, rel=0.35)


def test_a_lone_surrogate_is_counted_not_refused() -> None:
    assert estimate_tokens("\ud800") == pytest.approx(1.3)


def test_a_long_text_costs_the_sum_of_its_bytes_too() -> None:
    text = "Zwölf 日本語 {42}\n" * 700 + "x"  # read by pairs of bytes, with one left over
    assert len(text.encode()) % 2 == 1
    lines = 700 * estimate_tokens("Zwölf 日本語 {42}\n")
    assert estimate_tokens(text) == pytest.approx(lines + estimate_tokens("x"), rel=1e-12)
