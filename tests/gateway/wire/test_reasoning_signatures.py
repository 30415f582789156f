"""Whose reasoning is whose."""

import pytest

from gateway.wire.reasoning_signatures import author_of, portable, seal, sealed_blocks, thinking_for


def test_a_seal_names_its_author_and_gives_back_what_it_carries() -> None:
    blocks = [{"type": "thinking", "thinking": "hm", "signature": "EqQB"}]
    mark = seal("qwen", blocks)
    assert author_of(mark) == "qwen"
    assert sealed_blocks(mark) == blocks


def test_a_foreign_signature_is_anthropics_and_none_is_nobodys() -> None:
    assert author_of("EqQB") == "anthropic"
    assert author_of("") is None
    assert author_of(None) is None


@pytest.mark.parametrize("mark", ["pg1.", "pg1.!!!", "pg1.W10=", "pg1." + "A" * 10, "gAAAA", None, 7])
def test_a_damaged_or_foreign_mark_carries_nothing(mark: object) -> None:
    assert sealed_blocks(mark) == []
    assert thinking_for("qwen", [{"type": "thinking", "thinking": "hm", "signature": mark}]) == {}


def test_a_chat_history_leaves_behind_what_is_bound_to_another_maker() -> None:
    blocks = [{"type": "thinking", "thinking": "hm", "signature": "EqQB"}]
    details = [
        {"type": "reasoning.text", "text": "hm", "signature": "EqQB", "format": "anthropic-claude-v1"},
        {"type": "reasoning.encrypted", "data": "gAAAA", "format": "openai-responses-v1"},
        {"type": "reasoning.summary", "summary": "free"},
    ]
    assistant = {"role": "assistant", "content": "yes", "thinking_blocks": blocks, "reasoning_details": details}
    user = {"role": "user", "content": "hi"}
    history = [user, assistant, "odd"]
    assert portable(history, "anthropic") == [user, {**assistant, "reasoning_details": [details[0], details[2]]}, "odd"]
    plain = {"role": "assistant", "content": "yes", "reasoning_details": [details[1], details[2]]}
    assert portable(history, "openai") == [user, plain, "odd"]
