"""What Anthropic gets of a client that speaks its Messages."""

from typing import Any

import orjson
import pytest

from gateway.wire.anthropic.native import messages_body

HI = [{"role": "user", "content": "hi"}]


def sent(
    told: dict[str, Any],
    *,
    model_name: str = "claude-opus-4-7",
    without: frozenset[str] = frozenset(),
    most: int | None = None,
) -> Any:
    raw = orjson.dumps(told)
    body = messages_body(raw, told, model=told.get("model", "auto"), model_name=model_name, without=without, most=most)
    return orjson.loads(body)


def test_who_left_the_choice_to_us_is_not_refused_for_what_the_model_does_not_take() -> None:
    thinking = {"type": "enabled", "budget_tokens": 2_000}
    told = {"model": "auto", "max_tokens": 9, "messages": HI, "temperature": 0.2, "thinking": thinking}
    chosen = {"model": "claude-opus-4-7", "max_tokens": 9, "messages": HI, "thinking": {"type": "adaptive"}}
    assert sent(told) == chosen
    assert sent({**told, "model": "anthropic/claude-opus-4.7"}) == {**told, "model": "claude-opus-4-7"}
    assert sent(told, model_name="claude-sonnet-4-5") == {**told, "model": "claude-sonnet-4-5"}


def test_temperature_and_top_p_are_never_said_together_to_models_that_refuse_both() -> None:
    told = {"model": "auto", "max_tokens": 9, "messages": HI, "temperature": 0.2, "top_p": 0.9}
    assert "top_p" not in sent(told, model_name="claude-sonnet-4-5")
    assert sent(told, model_name="claude-sonnet-4-5")["temperature"] == 0.2
    assert sent(told, model_name="claude-3-5-haiku-20241022")["top_p"] == 0.9


def test_no_more_is_allowed_than_the_model_can_give_unless_it_was_named() -> None:
    thinking = {"type": "enabled", "budget_tokens": 8_500}
    told = {"model": "auto", "max_tokens": 9_000, "messages": HI, "thinking": thinking}
    fit = sent(told, model_name="claude-sonnet-4-5", most=8_192)
    assert (fit["max_tokens"], fit["thinking"]["budget_tokens"]) == (8_192, 4_096)
    assert sent(told, model_name="claude-sonnet-4-5", most=9_000) == {**told, "model": "claude-sonnet-4-5"}
    named = {**told, "model": "anthropic/claude-sonnet-4.5"}
    assert sent(named, model_name="claude-sonnet-4-5", most=8_192) == {**named, "model": "claude-sonnet-4-5"}


def test_our_own_keys_are_taken_out_and_a_missing_model_is_named() -> None:
    told = {"max_tokens": 9, "messages": HI, "routing": {"policy": "best"}}
    assert sent(told, without=frozenset({"routing"})) == {"max_tokens": 9, "messages": HI, "model": "claude-opus-4-7"}


def test_what_other_models_left_blank_does_not_come_between() -> None:
    """Qwen and others write blank lines beside their calls; Anthropic refuses a turn with no other text."""
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": " "}]}
    blank = {"type": "text", "text": "\n\n"}
    turns = [*HI, {"role": "assistant", "content": [blank, call]}, result]
    silent = [{"role": "assistant", "content": said} for said in ([blank], [], "", " ")]
    kept = sent({"model": "auto", "max_tokens": 9, "messages": [*turns, *silent, *HI]})["messages"]
    assert kept == [*HI, {"role": "assistant", "content": [call]}, result, *HI]
    own = [{"role": "user", "content": [blank]}]  # what the client itself says is its own affair
    assert sent({"model": "auto", "max_tokens": 9, "messages": own})["messages"] == own


@pytest.mark.parametrize("kind", [{}, [], None, 3])
def test_blocks_of_no_kind_pass(kind: object) -> None:
    told = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": [{"type": kind}]}]}
    assert sent(told)["messages"] == told["messages"]
