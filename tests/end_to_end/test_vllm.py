"""A gateway before a real vLLM: what it says comes back, its load is heard, its adapters are models.

Runs where PARETOGATE_VLLM_URL names one (`http://127.0.0.1:8000/v1`); `docs/operations.md` says how to start it.
The first model that it lists is asked, whichever that is: nothing here depends on what it answers.
"""

import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

import anthropic
import httpx
import openai
import pytest

from tests.end_to_end.conftest import Gateway, start
from tests.gateway.running import CHAT, HI
from tests.waiting import AT_MOST_S

URL = os.environ.get("PARETOGATE_VLLM_URL", "").rstrip("/")

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.timeout(600),  # a first request to a cold server on a busy machine
    pytest.mark.skipif(not URL, reason="PARETOGATE_VLLM_URL names no vLLM server"),
]

PROFILE = "huggingfacetb/smollm2-135m-instruct"  # what the catalog shall think of the model; any will do
BACKEND_LINE = re.compile(r'paretogate_server_load\{backend="gpu",fact="(\w+)"\} (\S+)')
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": CITY}}]
_CROWD = 8
LONG = {"messages": [{"role": "user", "content": "Tell a long story."}], "max_tokens": 1_500, "ignore_eos": True}


@pytest.fixture(scope="module")
def listed() -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = httpx.get(f"{URL}/models", timeout=AT_MOST_S).json()["data"]
    return models


@pytest.fixture(scope="module")
def gateway(listed: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    backend = (
        f'[{{"id":"gpu","profile":"{PROFILE}","kind":"vllm","model":"{listed[0]["id"]}","base_url":"{URL}",'
        '"price":{"input":0.1,"output":0.2,"cached_input":0.05}}]'
    )
    more = {
        "PARETOGATE_BACKENDS": backend,
        "PARETOGATE_EMBEDDED__ENABLED": "off",
        "PARETOGATE_SCRAPING__EVERY_S": "0.2",
    }
    running = start(tmp_path_factory.mktemp("vllm") / "state", more=more)
    yield running
    running.stop()


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0, timeout=300) as found:
        yield found


def shape(value: object) -> object:
    """Names and types: two answers to one question differ in numbers, and in words where two are nearly as likely."""
    if isinstance(value, dict):
        return {name: shape(child) for name, child in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def until(found: Callable[[], object], *, within_s: float = 60.0) -> float:
    """Seconds until it is so."""
    began_s = time.monotonic()
    while not found():
        assert time.monotonic() < began_s + within_s, "it never came to that"
        time.sleep(0.02)
    return time.monotonic() - began_s


def running_there() -> float:
    """Requests that vLLM itself says it is working on."""
    told = httpx.get(f"{URL.removesuffix('/v1')}/metrics", timeout=AT_MOST_S).text
    return sum(float(n) for n in re.findall(r"^vllm:num_requests_running\{.*\} (\S+)", told, re.MULTILINE))


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"logprobs": True, "top_logprobs": 2},
        {"n": 2, "seed": 1, "temperature": 1.0},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY}}, "max_tokens": 60},
        {"structured_outputs": {"choice": ["red", "blue"]}},  # vLLM's own words
        {"tools": TOOLS, "tool_choice": "required", "max_tokens": 60},
    ],
    ids=["plain", "logprobs", "choices", "json_schema", "structured_outputs", "tools"],
)
def test_an_answer_comes_back_as_vllm_gave_it(
    gateway: Gateway, listed: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    body = {"messages": HI, "max_tokens": 8, "temperature": 0, **more}
    direct = httpx.post(f"{URL}/chat/completions", json={"model": listed[0]["id"], **body}, timeout=300).json()
    answer = gateway.post(CHAT, {"model": PROFILE, **body})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert shape(told) == shape(direct)
    assert told["model"] == PROFILE
    usage, usd = told["usage"], float(answer.headers["x-paretogate-cost-usd"])
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    plain = usage["prompt_tokens"] - cached
    assert usd == pytest.approx((plain * 0.1 + cached * 0.05 + usage["completion_tokens"] * 0.2) / 1e6)


def test_a_stream_costs_what_its_tokens_cost(client: openai.OpenAI) -> None:
    options: Any = {"include_usage": True}
    body: Any = {"model": PROFILE, "messages": HI, "max_tokens": 8, "stream": True, "stream_options": options}
    chunks = list(client.chat.completions.create(**body))
    last = chunks[-1]
    assert last.usage is not None
    assert last.usage.completion_tokens >= sum(bool(c.choices and c.choices[0].delta.content) for c in chunks) > 0
    assert last.model_dump()["routing"]["cost_usd"] > 0


def test_every_other_door_answers_too(gateway: Gateway, client: openai.OpenAI) -> None:
    told = client.responses.create(model=PROFILE, input="hi", max_output_tokens=16)
    again = client.responses.create(model=PROFILE, input="go on", previous_response_id=told.id, max_output_tokens=16)
    assert told.output_text
    assert again.output_text
    prompt = client.completions.create(model=PROFILE, prompt="One two", max_tokens=1, echo=True, logprobs=1)
    assert prompt.choices[0].text.startswith("One two")
    with (
        anthropic.Anthropic(base_url=gateway.url, api_key="x", max_retries=0, timeout=300) as claude,
        claude.messages.stream(model=PROFILE, messages=HI, max_tokens=8) as stream,  # type: ignore[arg-type] # as dicts
    ):
        message = stream.get_final_message()
    assert message.content[0].type == "text"
    assert message.usage.output_tokens > 0


def test_what_vllm_refuses_is_refused_in_its_words(client: openai.OpenAI) -> None:
    for body, code in (
        ({"logprobs": True, "top_logprobs": 1_000}, "rejected_by_model"),
        ({"messages": [{"role": "user", "content": "word " * 50_000}]}, "context_length_exceeded"),
    ):
        with pytest.raises(openai.BadRequestError, match=r"maximum|greater than|exceed") as refused:
            client.chat.completions.create(**{"model": PROFILE, "messages": HI, **body})  # type: ignore[call-overload] # as dicts
        assert refused.value.code == code


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_ends_the_work(gateway: Gateway, *, stream: bool) -> None:
    until(lambda: running_there() == 0)
    body = {"model": PROFILE, "stream": stream, **LONG}
    with asking(f"{gateway.url}{CHAT}", body):
        until(lambda: running_there() > 0)
    assert until(lambda: running_there() == 0) < 20.0  # 1,500 tokens would take far longer


@contextmanager
def asking(url: str, body: dict[str, Any]) -> Iterator[None]:
    """A client that asks, reads nothing, and leaves at the end of the block."""
    where, content = urlsplit(url), json.dumps(body).encode()
    head = f"POST {where.path} HTTP/1.1\r\nhost: {where.netloc}\r\ncontent-type: application/json\r\n"
    with socket.create_connection((where.hostname, where.port)) as client:
        client.sendall(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
        yield


def test_its_load_is_heard_and_a_queue_is_expected_to_take_time(gateway: Gateway, listed: list[dict[str, Any]]) -> None:
    def load() -> dict[str, float]:
        return {
            fact: float(n)
            for fact, n in BACKEND_LINE.findall(httpx.get(f"{gateway.url}/metrics", timeout=AT_MOST_S).text)
        }

    def expected_s() -> float:
        told = gateway.post(f"/routing{CHAT}", {"model": "auto", "messages": HI}).json()
        return float(next(c for c in told["candidates"] if c["backend"] == "gpu")["ttft_s"]["mean"])

    until(lambda: load().get("running") == 0.0)
    idle_s = expected_s()
    body = {"model": listed[0]["id"], "stream": True, **LONG}
    with ExitStack() as crowd:
        for _ in range(_CROWD):
            crowd.enter_context(asking(f"{URL}/chat/completions", body))
        until(lambda: load()["running"] > 0.0 and load()["cache_use"] > 0.0)
        if running_there() >= _CROWD:
            pytest.skip("this server takes eight at once; start it with --max-num-seqs 2 to see a queue")
        until(lambda: load()["waiting"] > 0.0)
        busy_s = expected_s()
    assert busy_s > 1.5 * idle_s
    until(lambda: load() == {"running": 0.0, "waiting": 0.0, "cache_use": 0.0})


def test_adapters_are_models_with_weights_of_their_own(
    gateway: Gateway, client: openai.OpenAI, listed: list[dict[str, Any]]
) -> None:
    adapters = [model["id"] for model in listed if model.get("parent")]
    if not adapters:
        pytest.skip("this server has no adapters; start it with --enable-lora --lora-modules NAME=FOLDER")
    name = f"adapter/{adapters[0]}"
    until(lambda: name in {model.id for model in client.models.list()})  # a server that is busy is asked again
    first: dict[str, list[float]] = {}
    for model in (PROFILE, name):
        body: Any = {"model": model, "messages": HI, "max_tokens": 1, "logprobs": True, "top_logprobs": 5}
        answer = client.chat.completions.create(temperature=0, **body)
        assert answer.model == model
        assert answer.choices[0].logprobs is not None
        assert answer.choices[0].logprobs.content is not None
        first[model] = [token.logprob for token in answer.choices[0].logprobs.content[0].top_logprobs]
    assert max(abs(a - b) for a, b in zip(first[PROFILE], first[name], strict=True)) > 1e-3


def test_it_is_discovered_as_vllm(listed: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> None:
    more = {
        "PARETOGATE_DISCOVERY__LOOPBACK": "true",
        "PARETOGATE_DISCOVERY__LOOPBACK_URLS": f'["{URL}"]',
        "PARETOGATE_EMBEDDED__ENABLED": "off",
    }
    found = start(tmp_path_factory.mktemp("found") / "state", more=more)
    models = {model["id"] for model in httpx.get(f"{found.url}/v1/models", timeout=AT_MOST_S).json()["data"]}
    found.stop()
    assert {backend["kind"] for backend in found.backends} == {"vllm"}
    assert len(found.backends) == len(listed)
    assert {f"adapter/{model['id']}" for model in listed if model.get("parent")} <= models
