"""litellm stands between us and a fake provider: its answers, its streams and its failures come out as ours."""

import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import pytest

from catalog import Backend, Limits
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from gateway.upstreams.litellm import _own_words
from tests.gateway.anthropic_provider import FakeAnthropic
from tests.gateway.openai_provider import FakeOpenAI
from tests.gateway.running import STRONG, backend, running

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.skipif(find_spec("litellm") is None, reason="the extra litellm is not installed"),
]


NOBODY_LISTENS = "http://127.0.0.1:9"
ONCE = {"server": {"rehearse_ms": 0}}  # no request but the test's own


def by_litellm(provider: str, model_name: str, base_url: str) -> Backend:
    """The strong model, at a provider that litellm asks."""
    return Backend(
        id="strong",
        profile_id="maker/strong",
        kind="litellm",
        provider=provider,
        model_name=model_name,
        base_url=base_url,
        limits=Limits(timeout_s=30, first_token_timeout_s=30),
    )


@asynccontextmanager
async def through_litellm(tmp_path: Path):
    async with FakeProvider(words=("hello",)) as provider:
        strong = by_litellm("openai", "strong-raw", provider.url)
        async with running(strong, tmp_path=tmp_path, api_keys={"strong": "sk-test"}) as gateway:
            yield gateway, provider


async def test_answers_streams_and_failures_come_out_as_ours(tmp_path: Path) -> None:
    async with through_litellm(tmp_path) as (gateway, provider):
        whole = await gateway.chat()
        streamed = await gateway.chat(stream=True)
        provider.misbehave(Misbehaviour(fault="status", status=400))
        refused = await gateway.chat()
        provider.misbehave(Misbehaviour(fault="status", status=429, retry_after="60"))
        limited = await gateway.chat()
    assert whole.json()["choices"][0]["message"]["content"] == "hello"
    assert whole.json()["model"] == "maker/strong"
    assert provider.request_headers[0]["authorization"] == "Bearer sk-test"
    assert '"content":"hello"' in streamed.text
    assert streamed.text.endswith("data: [DONE]\n\n")
    assert [record["usage"]["input_tokens"] for record in gateway.journal.of("outcome")[:2]] == [10, 10]
    assert refused.status_code == 400
    assert (limited.status_code, limited.json()["error"]["code"]) == (429, "rate_limit_exceeded")


ONLY_RESPONSES = "openai/responses/gpt-5.4-pro"
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
CALLED = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "weather",
    "arguments": '{"city":"Oslo"}',
    "status": "completed",
}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_model_that_knows_only_responses_answers_chats(tmp_path: Path, stream: bool) -> None:
    async with FakeOpenAI(words=("hel", "lo")) as provider:
        provider.items = [CALLED]
        pro = by_litellm("openai", ONLY_RESPONSES, provider.url)
        async with running(pro, tmp_path=tmp_path, api_keys={"strong": "sk-test"}) as gateway:
            answer = await gateway.chat(stream=stream, max_tokens=50, temperature=0.2, reasoning_effort="high")
            called = await gateway.chat(stream=stream, model="strong", tools=[WEATHER], store=True)
    assert provider.asked_at == ["/v1/responses"] * 2
    asked, asked_to_store = provider.requests
    assert (asked["model"], asked["store"], asked_to_store["store"]) == ("gpt-5.4-pro", False, True)
    assert asked_to_store["tools"][0]["name"] == "weather"
    assert (asked["max_output_tokens"], asked["reasoning"]["effort"]) == (50, "high")
    assert "temperature" not in asked
    assert answer.headers["x-paretogate-left-out"] == "temperature"
    assert "hel" in answer.text
    assert '"model":"maker/strong"' in answer.text
    assert '"id":"chatcmpl-' in answer.text
    assert '"id":"resp_' not in answer.text
    assert '"name":"weather"' in called.text
    assert '"finish_reason":"tool_calls"' in called.text
    outcome = gateway.journal.of("outcome")[0]
    assert (outcome["status"], outcome["model_returned"]) == ("ok", "gpt-5.4-pro")
    usage = outcome["usage"]
    assert (usage["input_tokens"], usage["cached_input_tokens"], usage["output_tokens"]) == (100, 40, 20)
    assert usage["reasoning_tokens"] == 8


@asynccontextmanager
async def beside_another(tmp_path: Path, *, key: str | None):
    """A strong model at Anthropic, by litellm, and a cheap one that answers."""
    strong = by_litellm("anthropic", "claude-of-tomorrow", NOBODY_LISTENS)
    async with FakeProvider(words=("cheap",)) as provider:
        cheap = backend("cheap", provider.url)
        async with running(strong, cheap, tmp_path=tmp_path, api_keys={"strong": key} if key else {}) as gateway:
            yield gateway


@pytest.mark.parametrize("stream", [False, True])
async def test_a_backend_without_a_key_is_passed_over_and_said_to_be_unusable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    async with beside_another(tmp_path, key=None) as gateway:
        answered = await gateway.chat(model="auto:best", stream=stream)
        named = await gateway.chat(model="strong", stream=stream)
    assert (answered.status_code, answered.headers["x-paretogate-fallback-from"]) == (200, "strong")
    assert gateway.journal.of("outcome")[0]["attempts"] == [{"backend": "strong", "error": "unusable"}]
    assert (named.status_code, named.json()["error"]["code"]) == (502, "upstream_failed")
    assert named.json()["error"]["message"] == (
        "no backend could answer: backend strong cannot be asked as it is configured (AuthenticationError)"
    )


async def test_a_parameter_without_a_word_in_the_providers_dialect_goes_to_another_or_is_named(tmp_path: Path) -> None:
    async with beside_another(tmp_path, key="sk-test") as gateway:
        answered = await gateway.chat(model="auto:best", logit_bias={"5": 1})
        named = await gateway.chat(model="strong", logit_bias={"5": 1})
        for _ in range(6):  # nor is the backend blamed
            await gateway.chat(model="strong", logit_bias={"5": 1})
        well = (await gateway.client.get("/health/readiness")).json()["available"]
    assert answered.headers["x-paretogate-fallback-from"] == "strong"
    told = named.json()["error"]
    assert (named.status_code, told["code"], told["param"]) == (400, "unsupported_parameter", "logit_bias")
    assert well == 2


async def test_a_provider_that_is_away_is_told_by_its_cause(tmp_path: Path) -> None:
    async with beside_another(tmp_path, key="sk-test") as gateway:
        answer = await gateway.chat(model="strong")
    assert "backend strong cannot be reached (ConnectionRefusedError)" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ('litellm.BadRequestError: XException - {"error": {"message": "too long", "code": "c"}}', "too long"),
        ("litellm.BadRequestError: XException - too long", "too long"),
        ("too long", "too long"),
        (
            """litellm.BadRequestError: X - b'{"error": {"code": 400, "message": "\\\\u00bb it\\'s too long"}}\\n'""",
            "» it's too long",
        ),
        ("litellm.BadRequestError: X - b'too long", "b'too long"),
    ],
)
def test_a_providers_own_words_are_told(message: str, told: str) -> None:
    assert _own_words(message)["message"] == told


def test_without_such_a_backend_it_is_not_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, gateway.upstreams.litellm; print('litellm' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("keyed", [True, False])
async def test_what_only_openai_can_do_is_asked_of_such_a_model_as_it_came(
    tmp_path: Path, stream: bool, keyed: bool
) -> None:
    async with FakeOpenAI() as provider:
        pro = by_litellm("openai", ONLY_RESPONSES, provider.url)
        keys, environ = ({"strong": "sk-test"}, {}) if keyed else ({}, {"OPENAI_API_KEY": "sk-test"})
        async with running(pro, tmp_path=tmp_path, api_keys=keys, environ=environ) as gateway:
            asked = {"model": "maker/strong", "input": "hi", "tools": [{"type": "web_search"}], "stream": stream}
            told = await gateway.client.post("/v1/responses", json=asked)
    assert told.status_code == 200, told.text
    assert "Hello there" in told.text
    assert "web_search_call" in told.text
    assert provider.asked_at == ["/v1/responses"]
    assert provider.requests == [{**asked, "model": "gpt-5.4-pro"}]
    assert provider.request_headers[0]["authorization"] == "Bearer sk-test"
    (outcome,) = gateway.journal.of("outcome")
    assert (outcome["status"], outcome["usage"]["web_searches"]) == ("ok", 1)


ORDERS: list[dict[str, Any]] = [
    {"api_base": "EVIL"},
    {"base_url": "EVIL"},
    {"fallbacks": [{"model": "openai/x", "api_base": "EVIL"}]},
    {"model_list": [{"model_name": "m", "litellm_params": {"model": "openai/x", "api_base": "EVIL"}}]},
    {"custom_llm_provider": "hosted_vllm", "api_base": "EVIL"},
    {"api_key": "os.environ/HOME"},
    {"extra_headers": {"authorization": "Bearer x"}},
    {"extra_body": {"model": "dearer"}},
    {"mock_response": "fooled"},
    {"aws_bedrock_runtime_endpoint": "EVIL"},
    {"vertex_credentials": "/etc/passwd"},
    {"azure_ad_token": "oidc/file//etc/passwd"},
]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: next(iter(order)))
@pytest.mark.parametrize("door", ["/v1/chat/completions", "/v1/responses"])
async def test_no_request_gives_litellm_orders(tmp_path: Path, order: dict[str, Any], door: str) -> None:
    """`api_base` and `fallbacks` sent our key to whatever address a client named."""
    asked = {"input": "hi"} if door.endswith("responses") else {"messages": [{"role": "user", "content": "hi"}]}
    async with FakeProvider() as evil, FakeProvider() as own:
        ours = by_litellm("openai", "of-ours", own.url)
        told = orjson.loads(orjson.dumps(order).replace(b"EVIL", evil.url.encode()))
        async with running(ours, tmp_path=tmp_path, api_keys={"strong": "sk-ours"}, settings=ONCE) as gateway:
            answer = await gateway.client.post(door, json={"model": "strong", **asked, **told})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_parameter")
    assert answer.json()["error"]["param"] in order
    assert (evil.requests, own.requests) == ([], [])


@pytest.mark.parametrize("stream", [False, True])
async def test_a_picture_that_may_not_be_fetched_is_the_requests_fault_and_not_the_backends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    """One such request let the backend rest, for everybody."""
    sees = replace(STRONG, modalities_in=frozenset({"text", "image"}))
    monkeypatch.setattr("tests.gateway.running.STRONG", sees)
    async with FakeProvider() as inner:
        picture = {"type": "image_url", "image_url": {"url": f"{inner.url}/models"}}  # on this machine
        strong = by_litellm("gemini", "gemini-2.0-flash", NOBODY_LISTENS)
        async with running(strong, tmp_path=tmp_path, api_keys={"strong": "sk-ours"}, settings=ONCE) as gateway:
            for _ in range(3):
                answer = await gateway.chat(
                    model="strong", messages=[{"role": "user", "content": [picture]}], stream=stream
                )
            well = (await gateway.client.get("/health/readiness")).json()["available"]
    told = answer.json()["error"]
    assert (answer.status_code, told["code"], told["param"]) == (400, "unsupported_parameter", "image_url")
    assert well == 1


CALLED_BADLY = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{broken"}}
POISONS: dict[str, dict[str, Any]] = {
    "a file without content": {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
    "a part of another protocol": {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]},
    "arguments that are no JSON": {
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "tool_calls": [CALLED_BADLY]},
            {"role": "tool", "tool_call_id": "c", "content": "x"},
        ]
    },
    "an effort that nobody has": {"reasoning_effort": "colossal"},
    "a search of no size": {"web_search_options": {"search_context_size": "colossal"}},
    "notes to litellm": {"metadata": {"headers": "x", "hidden_params": "x", "model_group": ["x"]}},
    "litellm's own servers": {"tools": [{"type": "mcp", "server_url": "litellm_proxy", "server_label": "x"}]},
}


@pytest.mark.parametrize("poison", list(POISONS))
@pytest.mark.parametrize("stream", [False, True])
async def test_what_litellm_falls_over_takes_no_backend_away_from_others(
    tmp_path: Path, poison: str, stream: bool
) -> None:
    """One request was tried five times, and then nobody was answered for a second, and ever longer."""
    async with FakeAnthropic(words=("hello",)) as provider:
        claude = by_litellm("anthropic", "claude-sonnet-4-5", provider.url.removesuffix("/v1"))
        async with running(claude, tmp_path=tmp_path, api_keys={"strong": "sk-ant-test"}, settings=ONCE) as gateway:
            hurt = [await gateway.chat(model="strong", stream=stream, **POISONS[poison]) for _ in range(5)]
            well = (await gateway.client.get("/health/readiness")).json()["available"]
            others = await gateway.chat(model="strong")
    assert {answer.status_code for answer in hurt} <= {200, 400}, hurt[0].text
    assert [attempts for o in gateway.journal.of("outcome") if len(attempts := o["attempts"]) > 1] == []
    assert (well, others.status_code) == (1, 200)


async def test_an_answer_that_litellm_cannot_read_is_its_backends_fault(tmp_path: Path) -> None:
    async with through_litellm(tmp_path) as (gateway, provider):
        provider.misbehave(Misbehaviour(fault="malformed_json"), times=20)
        for _ in range(5):
            answer = await gateway.chat()
        ready = (await gateway.client.get("/health/readiness")).json()["available"]
    assert (answer.status_code >= 500, ready) == (True, 0)
