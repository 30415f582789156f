from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from predictors.encoders import StaticEncoder
from predictors.encoders.token_counts import TokenCounter

COUNTER = TokenCounter(StaticEncoder.load().tokenizer, forgiving=True)
TEXTS = [
    "Solve x_1^2 + 3.14*y = ##ing [unused1]; don't e-mail foo@bar.com!",
    "antidisestablishmentarianism\tpneumonoultramicroscopic\n\nqwertyuiop",
    "",
    "a" * 150 + " b",
    'def f(x):\n    return {"k": [1, 2, 3]}',
    "a \x08oldface word, a\x0cform feed, a bell\x07ringer \x1c and \x7f",
    " \n",
    "caf\u00e9 \u6cd5\u56fd",
    "the end",
]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return StaticEncoder.load().tokenizer


def counted(counter: TokenCounter, texts: list[str]) -> list[dict[int, int]]:
    found, begin, by_text = counter.count(texts), 0, []
    for end in found.ends:
        tokens = found.tokens[begin:end].tolist()
        assert tokens == sorted(tokens)
        by_text.append(dict(zip(tokens, found.counts[begin:end].tolist(), strict=True)))
        begin = end
    return by_text


def exact(tokenizer: Tokenizer, text: str) -> dict[int, int]:
    return Counter(tokenizer.encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize("text", TEXTS)
def test_looking_words_up_gives_the_tokenizers_own_tokens(tokenizer: Tokenizer, text: str) -> None:
    assert counted(TokenCounter(tokenizer), [text]) == [exact(tokenizer, text)]


def test_a_text_has_the_same_tokens_among_others(tokenizer: Tokenizer) -> None:
    counter = TokenCounter(tokenizer)
    expected = [exact(tokenizer, text) for text in TEXTS]
    assert counted(counter, TEXTS) == expected
    assert counted(counter, TEXTS[::-1]) == expected[::-1]  # and again, with words remembered


def test_long_texts_have_the_same_tokens_together_and_apart(tokenizer: Tokenizer) -> None:
    long = [f"{text} " * 400 for text in TEXTS[:3]]  # thousands of tokens: each is sorted by itself
    together = counted(TokenCounter(tokenizer), [*long, "", *long[::-1]])
    assert together[:3] == [exact(tokenizer, text) for text in long]
    assert together[3:] == [{}, *together[2::-1]]


def test_only_plain_words_are_remembered(tokenizer: Tokenizer) -> None:
    counter = TokenCounter(tokenizer)
    asked: list[bytes] = []
    pieces = counter.pieces
    counter.pieces = lambda word: asked.append(word) or pieces(word)  # type: ignore[method-assign, func-returns-value]
    for _ in range(2):
        counter.count(["rhombicuboctas sk4f9a77b1c0ffee " + "q" * 21])
    assert asked == [b"rhombicuboctas", b"sk4f9a77b1c0ffee", b"q" * 21, b"sk4f9a77b1c0ffee", b"q" * 21]


ODD = [
    "don\u2019t ",
    "a\u0301 \u6cd5\u56fd\u3000x ",
    "\u2014 [MASK] ",
    "\x85 bell\x07ringer \0 ",
    "\u201ccaf\u00e9\u201d ",
    "\ud800 ",
]


@pytest.mark.parametrize("repeated", [1, 20])
def test_texts_that_are_not_all_ascii_have_the_tokenizers_own_tokens(tokenizer: Tokenizer, repeated: int) -> None:
    counter = TokenCounter(tokenizer)
    asked: list[str] = []
    ask = counter.ask
    expected = [Counter(ask(f"The word before, {odd}and behind. " * repeated)) for odd in ODD]
    counter.ask = lambda text: asked.append(text) or ask(text)  # type: ignore[method-assign, func-returns-value]
    assert counted(counter, [f"The word before, {odd}and behind. " * repeated for odd in ODD]) == expected
    assert not any("word" in text for text in asked)  # of the plain words it was not asked


@given(st.lists(st.text(alphabet="aeZ9 ._[-#'\t\n\x07\u00e9\u6cd5\u2019\0", max_size=30), min_size=1, max_size=4))
def test_few_words_are_counted_as_many_are(texts: list[str]) -> None:
    many = ["filler " * 100, *texts]
    assert counted(COUNTER, texts) == counted(COUNTER, many)[1:]
