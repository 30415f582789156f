"""A translated request as each backend takes it: whose thinking travels where, and which hints stay."""

from typing import Any

import orjson

from catalog import Backend, ModelProfile, PoolEntry
from gateway.wire.messages.request import read_messages
from gateway.wire.reasoning_signatures import seal

USER = {"role": "user", "content": "hi"}


def candidate(maker: str, *, provider: str | None = None, thinks: bool = True) -> PoolEntry:
    capabilities = frozenset({"reasoning"} if thinks else ())
    profile = ModelProfile(id=f"{maker}/model", name="Model", capabilities=capabilities)
    backend = Backend(id="b", profile_id=profile.id, kind="openai", provider=provider or maker, model_name="m")
    return PoolEntry(profile=profile, backend=backend)


def sent(to: PoolEntry, **told: Any) -> dict[str, Any]:
    raw = orjson.dumps({"model": "auto", "max_tokens": 9_000, "messages": [USER], **told})
    body: dict[str, Any] = orjson.loads(read_messages(raw).for_backend("m", recipient=to))
    return body


def thought(signature: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": "hm", "signature": signature}


def history(*blocks: dict[str, Any]) -> list[dict[str, Any]]:
    return [USER, {"role": "assistant", "content": [*blocks, {"type": "text", "text": "yes"}]}, USER]


def test_signed_thinking_goes_back_to_its_author_alone() -> None:
    messages = history(thought("EqQB"), {"type": "redacted_thinking", "data": "Emw="})
    kept = sent(candidate("anthropic"), messages=messages)["messages"][1]
    removed = sent(candidate("openai"), messages=messages)["messages"][1]
    assert kept["thinking_blocks"] == [thought("EqQB"), {"type": "redacted_thinking", "data": "Emw="}]
    assert removed == {"role": "assistant", "content": "yes"}


def test_unsigned_thinking_goes_back_to_its_author_as_text() -> None:
    messages = history(thought(seal("deepseek")))
    assert sent(candidate("deepseek"), messages=messages)["messages"][1]["reasoning_content"] == "hm"
    assert sent(candidate("anthropic"), messages=messages)["messages"][1].keys() == {"role", "content"}
    assert sent(candidate("qwen"), messages=messages)["messages"][1].keys() == {"role", "content"}


def test_a_turn_of_mere_thoughts_vanishes_where_they_may_not_go() -> None:
    messages = [USER, {"role": "assistant", "content": [thought("EqQB")]}, USER]
    assert [m["role"] for m in sent(candidate("openai"), messages=messages)["messages"]] == ["user", "user"]
    assert len(sent(candidate("anthropic"), messages=messages)["messages"]) == 3


def test_marks_for_the_prompt_cache_stay_where_they_are_understood() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    told = {
        "system": [{"type": "text", "text": "Be brief.", **mark}],
        "tools": [{"name": "f", "input_schema": {}, **mark}],
    }
    kept, dropped = sent(candidate("anthropic"), **told), sent(candidate("openai"), **told)
    assert kept["messages"][0]["content"] == [{"type": "text", "text": "Be brief.", **mark}]
    assert kept["tools"][0]["cache_control"] == mark["cache_control"]
    assert dropped["messages"][0]["content"] == "Be brief."
    assert "cache_control" not in orjson.dumps(dropped).decode()


def test_a_thinking_budget_is_an_effort_elsewhere_and_nothing_to_a_model_that_does_not_think() -> None:
    thinking = {"type": "enabled", "budget_tokens": 4_000}
    assert sent(candidate("anthropic"), thinking=thinking)["thinking"] == thinking
    assert sent(candidate("openai"), thinking=thinking)["reasoning_effort"] == "medium"
    unthinking = sent(candidate("meta", thinks=False), thinking=thinking)
    assert unthinking.keys() == {"model", "messages", "max_tokens"}


def test_an_effort_says_nothing_to_a_model_that_does_not_think() -> None:
    """Claude Code names one with every request, and Groq refuses it for Llama."""
    told = {"output_config": {"effort": "low"}}
    assert sent(candidate("openai"), **told)["reasoning_effort"] == "low"
    assert "reasoning_effort" not in sent(candidate("meta", thinks=False), **told)


def test_several_texts_are_one_to_other_servers() -> None:
    system = [
        {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}} for text in ("Be brief.", "Be kind.")
    ]
    assert sent(candidate("deepseek"), system=system)["messages"][0]["content"] == "Be brief.\nBe kind."
    assert len(sent(candidate("anthropic"), system=system)["messages"][0]["content"]) == 2


def test_thinking_is_not_asked_for_within_a_turn_that_began_without() -> None:
    called = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {}}]}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "1"}]}
    told = {"thinking": {"type": "enabled", "budget_tokens": 4_000}, "messages": [USER, called, result]}
    assert "thinking" not in sent(candidate("anthropic"), **told)


def test_the_limit_of_tokens_has_the_name_that_the_provider_knows() -> None:
    assert "max_completion_tokens" in sent(candidate("openai"))
    assert "max_tokens" in sent(candidate("openai", provider="groq"))
