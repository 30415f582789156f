import pytest

from gateway.journal.prompts import keep_prompt, redact

RECORD = {"decision_id": "d1", "query": {"tokens": 3, "text": "hello"}}


def test_by_default_the_text_is_not_kept() -> None:
    assert keep_prompt(RECORD, "off") == {"decision_id": "d1", "query": {"tokens": 3}}
    assert "text" in RECORD["query"]  # type: ignore[operator] # the caller's record is untouched


def test_a_digest_recognises_equal_prompts() -> None:
    kept = keep_prompt(RECORD, "hash")["query"]
    # sha256 of "hello", as any tool computes it
    assert kept == {"tokens": 3, "text_sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}


def test_the_whole_text_is_kept_only_where_the_operator_said_so() -> None:
    assert keep_prompt(RECORD, "full") == RECORD


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("write to ann.lee@example.org today", "write to [email] today"),
        ("my key is sk-abcdefghijklmnop1234", "my key is [secret]"),
        ("card 4111 1111 1111 1111 please", "card [card] please"),
        ("call +41 44 668 18 00 now", "call [phone] now"),
        ("host 10.1.2.3 is down", "host [ip] is down"),
        ("IBAN CH93 0076 2011 6238 5295 7", "IBAN [iban] 7"),
        ("2 + 2 = 4 in 1999", "2 + 2 = 4 in 1999"),
    ],
)
def test_what_has_the_shape_of_personal_data_is_replaced(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize("piece", ["a.", "1-", "a%40", "sk-", "1(", "AB12 ", "a@b.-"])
def test_a_long_text_of_anything_takes_no_longer_than_it_is_long(piece: str) -> None:
    """A dotted word of a megabyte was begun anew at each dot and held everybody up for an hour."""
    redact(piece * (1_000_000 // len(piece)))


def test_languages_without_spaces_are_no_cover() -> None:
    assert redact("请联系jane@example.com") == "[email]"
    assert redact("卡号4111111111111111") == "卡号[card]"
