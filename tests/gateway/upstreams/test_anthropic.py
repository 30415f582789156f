"""Anthropic's and OpenAI's own clients before Anthropic itself, through a gateway on real sockets."""

import base64
from pathlib import Path
from typing import Any

import anthropic
import openai
import orjson
import pytest

from gateway.upstreams.fake import FakeProvider, Misbehaviour
from tests.gateway.anthropic_provider import before_anthropic, text_block
from tests.gateway.governance.test_governor import make_key
from tests.gateway.running import HI, RunningGateway, backend, pair

from .thinking import CACHED, CALL, THOUGHT, TOOL, converse, let_it_think

pytestmark = pytest.mark.loopback

FUNCTION = {"type": "function", "function": {"name": "weather", "parameters": TOOL["input_schema"]}}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "rain"}}
FOUND: dict[str, Any] = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [
        {"type": "web_search_result", "url": "https://x.org", "title": "X", "encrypted_content": "e", "page_age": None}
    ],
}
CITED = {
    "type": "text",
    "text": "It rains.",
    "citations": [
        {
            "type": "web_search_result_location",
            "url": "https://x.org",
            "title": "X",
            "encrypted_index": "i",
            "cited_text": "rain",
        }
    ],
}


def anthropics(gateway: RunningGateway) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=gateway.url, api_key="x", max_retries=0)


def openais(gateway: RunningGateway) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0)


async def test_a_message_goes_and_comes_as_it_is_but_for_the_models_name(tmp_path: Path) -> None:
    raw = (
        b'{ "max_tokens": 9,\n "model": "claude", "messages": [{"role": "user", "content": "h\\u0069"}],'
        b' "something_new": {"x": 1.50} }'
    )
    async with before_anthropic(tmp_path) as (gateway, provider):
        answer = await gateway.client.post("/v1/messages", content=raw)
    assert provider.raw_requests == [raw.replace(b'"claude"', b'"claude-sonnet-4-5"')]
    told = answer.json()
    assert told["model"] == "anthropic/claude-sonnet-4.5"
    assert (told["id"], told["content"]) == ("msg_fake", [text_block("Hello there")])
    sent = provider.request_headers[0]
    assert (sent["x-api-key"], sent["anthropic-version"]) == ("sk-ant-test", "2023-06-01")
    assert "authorization" not in sent


async def test_a_clients_version_and_beta_features_travel_and_its_key_does_not(tmp_path: Path) -> None:
    async with before_anthropic(tmp_path) as (gateway, provider):
        await gateway.client.post(
            "/v1/messages",
            json={"model": "claude", "max_tokens": 9, "messages": HI},
            headers={"anthropic-version": "2024-01-01", "anthropic-beta": "context-1m-2025-08-07", "x-api-key": "mine"},
        )
    sent = provider.request_headers[0]
    assert (sent["anthropic-version"], sent["anthropic-beta"]) == ("2024-01-01", "context-1m-2025-08-07")
    assert sent["x-api-key"] == "sk-ant-test"


async def test_signed_thinking_tools_and_caching_pass_through_whole(tmp_path: Path) -> None:
    async with before_anthropic(tmp_path) as (gateway, provider):
        let_it_think(provider)
        said = await converse(anthropics(gateway))
        outcome = gateway.journal.of("outcome")[0]
    first = said.first
    thought, call = first.content
    assert (thought.type, thought.thinking, thought.signature) == ("thinking", "Rain?", "c2lnbmVk")
    assert (call.type, call.id, call.name, call.input) == ("tool_use", "toolu_1", "weather", {"city": "Oslo"})
    assert (first.stop_reason, first.usage.cache_read_input_tokens) == ("tool_use", 100)
    assert (outcome["finish_reason"], outcome["tools_called"]) == ("tool_calls", ["weather"])
    assert outcome["cost_usd"] == pytest.approx((10 * 3 + 100 * 0.3 + 50 * 3.75 + 2 * 15) / 1e6)
    again = provider.requests[1]
    more = {"cache_control": CACHED, "stream": True, "model": "claude-sonnet-4-5"}
    assert again == {**said.wanted, "messages": said.turns, **more}


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_written_to_the_cache_for_an_hour_costs_twice_the_input(tmp_path: Path, stream: bool) -> None:
    lives = {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 1_000}
    async with before_anthropic(tmp_path) as (gateway, provider):
        provider.counts = {"input_tokens": 10, "cache_creation_input_tokens": 1_200, "cache_creation": lives}
        for door, asked in (("/v1/messages", {"max_tokens": 9}), ("/v1/chat/completions", {})):
            body = {"model": "claude", "messages": HI, "stream": stream, **asked}
            await gateway.client.post(door, json=body)
    costs = [outcome["cost_usd"] for outcome in gateway.journal.of("outcome")]
    assert costs == pytest.approx([(10 * 3 + 200 * 3.75 + 1_000 * 6 + 2 * 15) / 1e6] * 2)


@pytest.mark.parametrize("stream", [False, True])
async def test_searches_that_anthropic_makes_are_told_and_charged(tmp_path: Path, stream: bool) -> None:
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    body = {"model": "claude", "messages": HI, "stream": stream, "max_tokens": 9}
    async with before_anthropic(tmp_path) as (gateway, provider):
        provider.counts = {"input_tokens": 10}
        provider.last_counts = {"server_tool_use": {"web_search_requests": 3}}
        passed = await gateway.client.post("/v1/messages", json={**body, "tools": tools})
        translated = await gateway.client.post(
            "/v1/chat/completions", json={**body, "stream_options": {"include_usage": True}} if stream else body
        )
    assert '"web_search_requests":3' in passed.text.replace(" ", "")
    assert '"web_search_requests":3' in translated.text.replace(" ", "")
    outcomes = gateway.journal.of("outcome")
    assert [outcome["usage"]["web_searches"] for outcome in outcomes] == [3, 3]
    assert [outcome["cost_usd"] for outcome in outcomes] == pytest.approx([0.03 + (10 * 3 + 2 * 15) / 1e6] * 2)


@pytest.mark.parametrize("stream", [False, True])
async def test_what_only_anthropic_can_do_is_asked_of_anthropic_alone(tmp_path: Path, stream: bool) -> None:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    document = {"type": "document", "source": {"type": "url", "url": "https://x.org/a.pdf"}}
    found = {"type": "search_result", "source": "https://x.org", "title": "X", "content": [text_block("rain")]}
    messages = [{"role": "user", "content": [document, found, {"type": "text", "text": "Rain?"}]}]
    body: dict[str, Any] = {
        "max_tokens": 9,
        "messages": messages,
        "tools": [search],
        "container": "c",
        "stream": stream,
    }
    async with (
        FakeProvider() as other,
        before_anthropic(tmp_path, backend("strong", other.url), others_first=True) as (gateway, provider),
    ):
        provider.blocks = [SEARCH, FOUND, CITED]
        answer = await gateway.client.post("/v1/messages", json={"model": "auto", **body})
        named = await gateway.client.post("/v1/messages", json={"model": "strong", **body})
        plain = await gateway.client.post("/v1/messages", json={"model": "auto", "max_tokens": 9, "messages": HI})
    assert answer.status_code == 200
    assert provider.requests == [{**body, "model": "claude-sonnet-4-5"}]
    if not stream:
        assert answer.json()["content"] == [SEARCH, FOUND, CITED]
    assert (named.status_code, named.json()["error"]["message"].partition(":")[0]) == (400, "container")
    assert plain.json()["model"] == "maker/strong"  # the better one


async def test_without_anthropic_such_requests_are_refused_by_name(tmp_path: Path) -> None:
    document = {"type": "document", "source": {"type": "url", "url": "https://x.org/a.pdf"}}
    body = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": [document]}]}
    async with pair(tmp_path) as (gateway, strong, _):
        answer = await gateway.client.post("/v1/messages", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("messages[0].content[0].source.type: url")
    assert strong.requests == []


async def test_thinking_of_another_model_and_foreign_names_of_calls_stay_behind(tmp_path: Path) -> None:
    async with FakeProvider() as other, before_anthropic(tmp_path, backend("strong", other.url)) as (gateway, provider):
        other.answer_with({"reasoning_content": "hm", "content": "Yes."})
        client = anthropics(gateway)
        first = await client.messages.create(model="strong", max_tokens=9, messages=HI)
        call = {"type": "tool_use", "id": "functions.f:0", "name": "f", "input": {}}
        result = {"type": "tool_result", "tool_use_id": "functions.f:0", "content": "1"}
        said = [*[block.model_dump() for block in first.content], call]
        turns: list[Any] = [*HI, {"role": "assistant", "content": said}, {"role": "user", "content": [result]}]
        thinking: Any = {"type": "enabled", "budget_tokens": 1_024}
        await client.messages.create(model="claude", max_tokens=2_000, messages=turns, thinking=thinking)
    assert [block["type"] for block in said] == ["thinking", "text", "tool_use"]
    (sent,) = provider.requests
    assert [block["type"] for block in sent["messages"][1]["content"]] == ["text", "tool_use"]
    assert sent["messages"][1]["content"][1]["id"] == "functions_f_0"
    assert sent["messages"][2]["content"][0]["tool_use_id"] == "functions_f_0"
    assert "thinking" not in sent  # a turn of calls that began without cannot go on with it


async def test_tokens_are_counted_by_anthropic_where_its_model_is_named(tmp_path: Path) -> None:
    async with before_anthropic(tmp_path) as (gateway, provider):
        client = anthropics(gateway)
        exact = await client.messages.count_tokens(model="claude", messages=HI, tools=[TOOL])
        guessed = await client.messages.count_tokens(model="auto", messages=HI)
        provider.always_misbehave("claude-sonnet-4-5", Misbehaviour(fault="status", status=500))
        without = await client.messages.count_tokens(model="claude", messages=HI)
    assert exact.input_tokens == 1_234
    assert provider.requests[0] == {"model": "claude-sonnet-4-5", "messages": HI, "tools": [TOOL]}
    assert guessed.input_tokens == without.input_tokens < 20  # by our own estimate


async def test_tools_that_were_left_out_are_not_sent_and_the_others_are_as_they_came(tmp_path: Path) -> None:
    tools = [
        {"name": f"tool_{n}", "description": f"Does {n}.", "input_schema": TOOL["input_schema"]} for n in range(30)
    ]
    tools[3] = {**TOOL, "description": "Weather in a city.", "input_examples": [{"city": "Oslo"}]}
    async with before_anthropic(tmp_path, settings={"tools": {"deadline_ms": 60_000}}) as (gateway, provider):
        answer = await gateway.client.post(
            "/v1/messages",
            json={
                "model": "claude",
                "max_tokens": 9,
                "messages": [{"role": "user", "content": "What is the weather in Oslo?"}],
                "tools": tools,
                "routing": {"tools": {"top_k": 2}},
            },
        )
    assert answer.status_code == 200
    (sent,) = provider.requests
    assert len(sent["tools"]) < 30
    assert tools[3] in sent["tools"]


async def test_a_chat_is_asked_in_anthropics_words_and_told_in_openais(tmp_path: Path) -> None:
    async with before_anthropic(tmp_path) as (gateway, provider):
        provider.blocks, provider.stop_reason = [THOUGHT, text_block("Let me see."), CALL], "tool_use"
        client = openais(gateway)
        turns: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Rain in Oslo?"}]
        first = await client.chat.completions.create(model="claude", messages=turns, tools=[FUNCTION], stop="END")  # type: ignore[list-item]
        turns.append(first.choices[0].message.model_dump(exclude_none=True))
        turns.append({"role": "tool", "tool_call_id": "toolu_1", "content": "rain"})
        await client.chat.completions.create(model="claude", messages=turns, tools=[FUNCTION], max_tokens=50)  # type: ignore[list-item]
    message = first.choices[0].message
    assert (message.content, first.choices[0].finish_reason) == ("Let me see.", "tool_calls")
    assert message.tool_calls is not None
    assert message.tool_calls[0].to_dict() == {
        "id": "toolu_1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city":"Oslo"}'},
    }
    assert first.usage is not None
    assert (first.usage.prompt_tokens, first.usage.completion_tokens) == (14, 2)
    asked, again = provider.requests
    assert asked["system"] == [{"type": "text", "text": "Be brief."}]
    assert asked["tools"] == [TOOL]
    assert asked["stop_sequences"] == ["END"]
    assert again["max_tokens"] == 50
    assert again["messages"][1:] == [
        {"role": "assistant", "content": [THOUGHT, {"type": "text", "text": "Let me see."}, CALL]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "rain"}]}
            ],
        },
    ]


async def test_a_streamed_chat_is_told_in_chunks(tmp_path: Path) -> None:
    async with before_anthropic(tmp_path) as (gateway, provider):
        provider.blocks, provider.stop_reason = [THOUGHT, text_block("Hm."), CALL], "tool_use"
        stream = await openais(gateway).chat.completions.create(
            model="claude",
            messages=[{"role": "user", "content": "Rain?"}],
            tools=[FUNCTION],  # type: ignore[list-item]
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == "Hm."
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == "Rain?"
    calls = [call for delta in deltas for call in delta.tool_calls or ()]
    assert (calls[0].id, calls[0].function and calls[0].function.name) == ("toolu_1", "weather")
    arguments = "".join(call.function.arguments or "" for call in calls if call.function)
    assert orjson.loads(arguments) == {"city": "Oslo"}
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens == 14
    assert {chunk.model for chunk in chunks} == {"anthropic/claude-sonnet-4.5"}
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "tool_calls"


async def test_responses_are_asked_and_told_too(tmp_path: Path) -> None:
    async with before_anthropic(tmp_path) as (gateway, provider):
        provider.blocks = [THOUGHT, text_block("It rains.")]
        client = openais(gateway)
        whole = await client.responses.create(model="claude", input="Rain?", instructions="Be brief.")
        async with client.responses.stream(model="claude", input="Rain?") as stream:
            last = await stream.get_final_response()
    assert (whole.output_text, last.output_text) == ("It rains.", "It rains.")
    assert provider.requests[0]["system"] == [{"type": "text", "text": "Be brief."}]


async def test_pictures_and_documents_arrive(tmp_path: Path) -> None:
    pdf = base64.b64encode(b"%PDF").decode()
    parts: list[Any] = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "image_url", "image_url": {"url": "https://x.org/a.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{pdf}"}},
    ]
    async with before_anthropic(tmp_path) as (gateway, provider):
        await openais(gateway).chat.completions.create(model="claude", messages=[{"role": "user", "content": parts}])
    assert provider.requests[0]["messages"][0]["content"][1:] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        {"type": "image", "source": {"type": "url", "url": "https://x.org/a.png"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": pdf},
            "title": "a.pdf",
        },
    ]


async def test_what_anthropic_has_no_word_for_another_backend_is_asked(tmp_path: Path) -> None:
    async with FakeProvider() as other, before_anthropic(tmp_path, backend("strong", other.url)) as (gateway, provider):
        elsewhere = await gateway.chat(logit_bias={"50256": -100}, routing={"policy": "best"})
        refused = await gateway.chat(model="claude", logit_bias={"50256": -100})
    assert elsewhere.json()["model"] == "maker/strong"
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "logit_bias")
    assert provider.requests == []


async def test_a_key_without_credit_is_no_fault_of_the_request(tmp_path: Path) -> None:
    async with FakeProvider() as other, before_anthropic(tmp_path, backend("strong", other.url)) as (gateway, provider):
        provider.refuse_with = "Your credit balance is too low to access the Anthropic API."
        answer = await gateway.client.post("/v1/messages", json={"model": "auto:best", "max_tokens": 9, "messages": HI})
    assert answer.json()["model"] == "maker/strong"


async def test_an_answer_with_personal_data_taken_out_is_restored(tmp_path: Path) -> None:
    pytest.importorskip("phonenumbers")
    async with before_anthropic(tmp_path, settings={"privacy": {"mode": "redact"}}) as (gateway, provider):
        provider.blocks = [text_block("Write to [EMAIL_1].")]
        asked = [{"role": "user", "content": "Who is jane@example.com?"}]
        answer = await anthropics(gateway).messages.create(model="claude", max_tokens=9, messages=asked)  # type: ignore[arg-type]
    assert "jane" not in provider.raw_requests[0].decode()
    assert answer.content[0].text == "Write to jane@example.com."  # type: ignore[union-attr]


async def test_personal_data_in_what_nobody_here_can_read_does_not_leave(tmp_path: Path) -> None:
    pytest.importorskip("phonenumbers")
    found = {
        "type": "search_result",
        "source": "https://x.org",
        "title": "Staff",
        "content": [text_block("jane@example.com")],
    }
    body = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": [found]}]}
    clean = {**body, "messages": [{"role": "user", "content": [{**found, "content": [text_block("nobody")]}]}]}
    async with before_anthropic(tmp_path, settings={"privacy": {"mode": "redact"}}) as (gateway, provider):
        kept = await gateway.client.post("/v1/messages", json=body)
        passed = await gateway.client.post("/v1/messages", json=clean)
    assert (kept.status_code, passed.status_code) == (422, 200)
    assert len(provider.requests) == 1


async def test_a_key_whose_tools_are_restricted_gets_no_tools_of_servers(tmp_path: Path) -> None:
    key = make_key(tmp_path, tools_allow=("weather",))
    tools = [{"type": "web_search_20250305", "name": "web_search"}, TOOL]
    async with before_anthropic(tmp_path) as (gateway, provider):
        answer = await gateway.client.post(
            "/v1/messages",
            json={"model": "claude", "max_tokens": 9, "messages": HI, "tools": tools},
            headers=key,
        )
        servers = {"mcp_servers": [{"type": "url", "url": "https://x.org", "name": "x"}]}
        body = {"model": "claude", "max_tokens": 9, "messages": HI, **servers}
        refused = await gateway.client.post("/v1/messages", json=body, headers=key)
        free = await gateway.client.post("/v1/messages", json=body)
    assert (answer.status_code, refused.status_code, free.status_code) == (200, 403, 200)
    assert provider.requests[0]["tools"] == [TOOL]
