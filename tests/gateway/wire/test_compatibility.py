"""A chat request in the words of whoever is asked."""

import re
from typing import Any

import orjson
import pytest

from catalog import Backend, ModelProfile, PoolEntry
from gateway.wire.body import read_chat
from gateway.wire.completions import read_completions
from gateway.wire.responses.request import read_responses

HI = [{"role": "user", "content": "hi"}]


def at(
    provider: str, model: str = "m", *, kind: Any = "openai", url: str | None = None, most: int | None = None
) -> PoolEntry:
    profile = ModelProfile(id=f"{provider}/{model}", name=model, max_output_tokens=most)
    backend = Backend(
        id="b", profile_id=profile.id, kind=kind, provider=provider, model_name=model, base_url=url or "http://h/v1"
    )
    return PoolEntry(profile=profile, backend=backend)


def sent(to: PoolEntry, **asked: Any) -> dict[str, Any]:
    request = read_chat(orjson.dumps({"model": "auto", "messages": HI, **asked}))
    body: dict[str, Any] = orjson.loads(request.for_backend("m", recipient=to))
    return {key: value for key, value in body.items() if key != "model"}


def test_openai_is_told_a_limit_in_its_newer_word_and_others_in_the_one_that_all_know() -> None:
    """OpenAI's models that think and Mistral refuse the other word; DeepSeek passes over it and answers without end."""
    older, newer = {"messages": HI, "max_tokens": 9}, {"messages": HI, "max_completion_tokens": 9}
    for asked in (older, newer, {**older, **newer}):
        assert sent(at("openai", "gpt-5"), **asked) == newer
        for to in (at("mistral"), at("deepseek"), at("x", kind="ollama"), at("x", kind="embedded")):
            assert sent(to, **asked) == older


def test_where_nobody_knows_whose_words_they_are_the_clients_own_bytes_pass() -> None:
    raw = b'{"model":"auto","messages":[{"role":"developer","content":"x"}],"max_completion_tokens":  9}'
    unknown = read_chat(raw).for_backend("m", recipient=at("maker"))
    assert unknown == raw.replace(b'"auto"', b'"m"')


def test_a_provider_is_known_by_its_address_too() -> None:
    to = at("mistralai", url="https://api.mistral.ai/v1")
    assert sent(to, max_completion_tokens=9) == {"messages": HI, "max_tokens": 9}


def test_open_models_of_openai_are_served_by_others() -> None:
    assert sent(at("openai", "gpt-oss-20b", kind="ollama"), max_completion_tokens=9)["max_tokens"] == 9


@pytest.mark.parametrize(
    ("model", "effort", "takes_it"),
    [
        *[("gpt-4o", None, True), ("gpt-4.1-mini", None, True), ("gpt-3.5-turbo", None, True)],
        *[
            ("gpt-5", None, False),
            ("gpt-5-mini-2025-08-07", None, False),
            ("o3", None, False),
            ("o4-mini", "low", False),
        ],
        *[("gpt-5.1", None, True), ("gpt-5.4-nano", None, True), ("gpt-5.2", "low", False)],
        *[("gpt-5.6", None, False), ("gpt-6-sol", None, False), ("gpt-5.6", "none", True)],
        *[("gpt-5-chat-latest", None, True), ("somebody-elses", None, True)],
    ],
)
def test_models_that_think_are_not_told_a_temperature(model: str, effort: str | None, takes_it: bool) -> None:
    asked = {"temperature": 0, "top_p": 0.5, **({} if effort is None else {"reasoning_effort": effort})}
    assert ("temperature" in sent(at("openai", model), **asked)) == takes_it
    assert ("top_p" in sent(at("openai", model), **asked)) == takes_it
    assert sent(at("openai", model), temperature=1)["temperature"] == 1  # which is what they do


def test_who_names_such_a_model_hears_from_it_what_it_refuses() -> None:
    assert sent(at("openai", "gpt-5"), model="openai/gpt-5", temperature=0)["temperature"] == 0
    assert sent(at("openai", "o3"), model="o3", temperature=0)["temperature"] == 0


@pytest.mark.parametrize(
    ("to", "name"),
    [
        (at("openai", "gpt-4o", most=50), "max_completion_tokens"),
        (at("gemini", most=50), "max_tokens"),
        (at("anthropic", kind="anthropic", most=50), "max_tokens"),
    ],
)
def test_no_more_is_allowed_than_the_model_can_give_unless_it_was_named(to: PoolEntry, name: str) -> None:
    """Agents allow 32,000 tokens and more; GPT-4o gives 16,384, and refuses to be allowed any more."""
    assert sent(to, max_tokens=51)[name] == 50
    assert sent(to, model="auto:cheap", max_tokens=51)[name] == 50
    assert sent(to, max_tokens=49)[name] == 49
    assert sent(to, model=to.profile.id, max_tokens=51)[name] == 51


def test_what_open_models_can_give_their_servers_decide() -> None:
    assert sent(at("openai", "gpt-oss-20b", kind="vllm", most=50), max_tokens=51)["max_tokens"] == 51
    assert sent(at("groq", most=50), max_tokens=51)["max_tokens"] == 51


def test_every_door_speaks_so() -> None:
    to = at("openai", "gpt-5")
    completion = read_completions(orjson.dumps({"model": "auto", "prompt": "hi", "max_tokens": 9, "temperature": 0}))
    asked = {"model": "auto", "input": "hi", "max_output_tokens": 9, "temperature": 0}
    response = read_responses(orjson.dumps(asked))
    for request in (completion, response):
        told = orjson.loads(request.for_backend("m", recipient=to))
        assert told == {"model": "m", "messages": HI, "max_completion_tokens": 9}


def test_developers_are_the_system_to_all_but_openai() -> None:
    said = [{"role": "developer", "content": "x"}, *HI]
    assert sent(at("openai"), messages=said)["messages"] == said
    assert sent(at("deepseek"), messages=said)["messages"][0] == {"role": "system", "content": "x"}


def test_texts_are_not_in_parts_where_they_are_wanted_whole() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    picture = [*parts, {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]
    said = [{"role": "system", "content": parts}, {"role": "user", "content": picture}]
    assert sent(at("deepseek"), messages=said)["messages"] == [{"role": "system", "content": "a\nb"}, said[1]]
    assert sent(at("openai"), messages=said)["messages"] == said


def test_qwen_on_groq_thinks_or_does_not() -> None:
    efforts = [sent(at("groq", "qwen/qwen3-32b"), reasoning_effort=e)["reasoning_effort"] for e in ("low", "none")]
    assert efforts == ["default", "none"]
    assert sent(at("groq", "openai/gpt-oss-20b"), reasoning_effort="low")["reasoning_effort"] == "low"


LONG = "chatcmpl-tool-0123456789abcdef0123456789abcdef"  # vLLM's, of 46 characters


def history(call_id: str, **more: Any) -> list[dict[str, Any]]:
    call = {"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return [
        *HI,
        {"role": "assistant", "content": None, "tool_calls": [call], **more},
        {"role": "tool", "tool_call_id": call_id, "content": "1"},
    ]


@pytest.mark.parametrize(
    ("provider", "taken", "fits"),
    [("mistral", LONG, r"[a-zA-Z0-9]{9}"), ("mistral", "call_1", r"[a-zA-Z0-9]{9}"), ("openai", LONG, r".{1,40}")],
)
def test_calls_of_other_models_have_names_that_the_provider_takes(provider: str, taken: str, fits: str) -> None:
    _, turn, result = sent(at(provider), messages=history(taken))["messages"]
    assert re.fullmatch(fits, result["tool_call_id"])
    assert turn["tool_calls"][0]["id"] == result["tool_call_id"] != taken
    assert sent(at(provider), messages=history(taken + "x"))["messages"][2] != result  # two stay two


def test_names_that_are_taken_stay() -> None:
    for provider, name in (("mistral", "aB3456789"), ("openai", "call_1"), ("groq", LONG)):
        assert sent(at(provider), messages=history(name))["messages"] == history(name)


@pytest.mark.parametrize("provider", ["gemini", "groq", "cerebras", "mistral", "cohere"])
def test_hints_and_what_asks_for_nothing_stay_away_from_whoever_refuses_what_it_does_not_know(provider: str) -> None:
    """Codex names a prompt cache with every request, and SDKs of OpenAI's say that nothing is to be stored."""
    hints = {"prompt_cache_key": "k", "store": False, "user": "u", "safety_identifier": "u"}
    hints["prompt_cache_options"] = {"ttl": "30m"}
    idle = {"parallel_tool_calls": True, "frequency_penalty": 0.0, "n": 1, "service_tier": "auto", "logprobs": False}
    assert sent(at(provider), **hints, **idle) == {"messages": HI}
    meant = {"parallel_tool_calls": False, "frequency_penalty": 0.5, "n": 2, "logprobs": True}
    assert sent(at(provider), **meant) == {"messages": HI, **meant}  # it says itself whether it can
    assert sent(at("openai"), **hints, **idle) == {"messages": HI, **hints, **idle}


def test_cohere_is_asked_for_no_counts_of_tokens_which_it_refuses_to_be() -> None:
    """All others are, so that a stream can be billed."""
    for asked in ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}):
        assert sent(at("cohere"), **asked) == {"messages": HI, "stream": True}
        assert sent(at("groq"), **asked)["stream_options"] == {"include_usage": True}


def test_identifiers_are_as_long_as_openai_takes_them() -> None:
    """Claude Code's name of a user has some 140 characters; OpenAI refuses more than 64, as OpenRouter does 128."""
    for provider in ("openai", "openrouter"):
        told = sent(at(provider), user="u" * 65, prompt_cache_key="k" * 64)
        assert (len(told["user"]), told["prompt_cache_key"]) == (64, "k" * 64)
        assert told["user"] == sent(at(provider), user="u" * 65)["user"] != sent(at(provider), user="v" * 65)["user"]


def signed(**signature: Any) -> list[dict[str, Any]]:
    said = history("aB3456789")
    said[1]["tool_calls"] = [{**said[1]["tool_calls"][0], **signature}, said[1]["tool_calls"][0]]
    return said


def test_gemini_gets_its_signatures_back_and_is_told_which_calls_have_none() -> None:
    """It refuses calls of other models, and its own where a client lost the signature, unless they are marked."""
    own = signed(extra_content={"google": {"thought_signature": "EqQB"}})
    marked = {"google": {"thought_signature": "skip_thought_signature_validator"}}
    assert sent(at("gemini", "gemini-3-pro"), messages=own)["messages"] == own
    assert sent(at("gemini", "gemini-3-pro"), messages=signed())["messages"] == signed(extra_content=marked)
    assert sent(at("gemini", "gemini-2.5-pro"), messages=signed())["messages"] == signed()


def test_nobody_else_is_told_geminis_signatures_but_who_passes_them_on() -> None:
    own = signed(extra_content={"google": {"thought_signature": "EqQB"}})
    assert sent(at("openai"), messages=own)["messages"] == signed()
    assert sent(at("groq"), messages=own)["messages"] == signed()
    assert sent(at("openrouter"), messages=own)["messages"] == own


@pytest.mark.parametrize(("provider", "reads"), [("groq", False), ("mistral", False), ("cerebras", False), ("x", True)])
def test_some_refuse_to_be_told_what_a_model_thought(provider: str, reads: bool) -> None:
    told = sent(at(provider), messages=history("aB3456789", reasoning_content="hm"))["messages"][1]
    assert ("reasoning_content" in told) == reads
    assert told["tool_calls"][0]["id"] == "aB3456789"
