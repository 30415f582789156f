"""Providers behind the real litellm that break off, answer nonsense or quote secrets, and what they may be asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from catalog import Backend, Limits, Price
from tests.gateway.running import RunningGateway, running
from tests.gateway.small_servers import serving

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.skipif(find_spec("litellm") is None, reason="the extra litellm is not installed"),
]

KEY = "sk-secret-of-ours-0123456789"
MODELS = {
    "mistral": ("mistral-large-latest", "/v1"),
    "deepseek": ("deepseek-chat", "/v1"),
    "groq": ("llama-3.3-70b-versatile", "/v1"),
    "azure": ("gpt-4o", ""),
    "gemini": ("gemini-2.0-flash", "/v1beta"),
    "bedrock": ("anthropic.claude-3-5-sonnet-20240620-v1:0", ""),
}
OF_CHATS = ("mistral", "deepseek", "groq", "azure")  # those that speak OpenAI's dialect
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIA0123", "AWS_SECRET_ACCESS_KEY": "shown to nobody", "AWS_REGION": "eu-west-1"}
LIMITS = Limits(timeout_s=300, first_token_timeout_s=30, stall_timeout_s=60)
PRICE = Price(input_usd_per_mtok=Decimal(3), output_usd_per_mtok=Decimal(15))
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


@dataclass
class Server:
    """Answers whatever it is asked with the same bytes."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    asked: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(orjson.loads(await request.read()))
        return web.Response(body=self.body, status=self.status, content_type=self.content_type)

    def stream(self, *chunks: dict[str, Any]) -> None:
        """From now on, these events, and nothing behind them."""
        events = [{"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", **each} for each in chunks]
        self.body, self.content_type = (
            b"".join(b"data: %b\n\n" % orjson.dumps(each) for each in events),
            "text/event-stream",
        )


@asynccontextmanager
async def before(
    provider: str, tmp_path: Path, *, keyed: bool = True, environ: dict[str, str] | None = None, **more: Any
) -> AsyncIterator[tuple[RunningGateway, Server]]:
    server = Server()
    model, path = MODELS[provider]
    once = {"server": {"rehearse_ms": 0}}
    keys = {"strong": KEY} if keyed else {}
    async with serving(web.post("/{path:.*}", server.answer)) as server.url:
        strong = Backend(
            id="strong",
            profile_id="maker/strong",
            kind="litellm",
            provider=provider,
            model_name=model,
            base_url=server.url + path,
            price=PRICE,
            limits=LIMITS,
            **more,
        )
        async with running(strong, tmp_path=tmp_path, api_keys=keys, environ=environ, settings=once) as gateway:
            yield gateway, server


@pytest.mark.parametrize("provider", OF_CHATS)
@pytest.mark.parametrize("nonsense", [b"<html>an error of some proxy</html>", b"{}", b"null"])
async def test_a_stream_of_nonsense_is_no_answer(tmp_path: Path, provider: str, nonsense: bytes) -> None:
    """It was an empty one that had ended well, and nobody else was asked."""
    async with before(provider, tmp_path) as (gateway, server):
        server.body, server.content_type = nonsense, "text/html"
        answer = await gateway.chat(model="strong", stream=True)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_failed")
    assert {attempt["error"] for attempt in gateway.journal.of("outcome")[0]["attempts"]} == {"protocol"}


@pytest.mark.parametrize("provider", OF_CHATS)
async def test_a_stream_that_breaks_off_is_not_whole(tmp_path: Path, provider: str) -> None:
    """Litellm makes up an end, and tokens: half an answer passed for all of it."""
    async with before(provider, tmp_path) as (gateway, server):
        server.stream({"choices": [{"index": 0, "delta": {"role": "assistant", "content": "half of"}}]})
        answer = await gateway.chat(model="strong", stream=True)
    assert "half of" in answer.text
    assert '"code":"upstream_failed"' in answer.text
    assert '"finish_reason":"stop"' not in answer.text
    (outcome,) = gateway.journal.of("outcome")
    assert (outcome["status"], outcome["usage"]) == ("failed", None)


def piece_of_gemini(text: str, finish_reason: str | None = None, *, index: int = 0) -> dict[str, Any]:
    end = {} if finish_reason is None else {"finishReason": finish_reason}
    return {"index": index, "content": {"role": "model", "parts": [{"text": text}]}, **end}


@pytest.mark.parametrize(
    ("pieces", "is_whole"),
    [
        ([[piece_of_gemini("half of")]], False),
        ([[piece_of_gemini("half of")], [piece_of_gemini(" it", "STOP")]], True),
        ([[piece_of_gemini("half of")], [{"finishReason": "MAX_TOKENS"}]], True),
        ([[piece_of_gemini("half of", "STOP")], [piece_of_gemini(" it")]], True),  # whose older models end each piece
        ([[piece_of_gemini("half of")], [piece_of_gemini("other", "STOP", index=1)]], False),
    ],
)
async def test_a_stream_of_geminis_that_breaks_off_is_not_whole(
    tmp_path: Path, pieces: list[list[dict[str, Any]]], is_whole: bool
) -> None:
    """All its pieces bear an end once litellm has read them."""
    async with before("gemini", tmp_path) as (gateway, server):
        server.stream(*({"candidates": candidates, "modelVersion": "gemini-2.0-flash"} for candidates in pieces))
        answer = await gateway.chat(model="strong", stream=True)
    assert "half of" in answer.text
    assert ('"code":"upstream_failed"' in answer.text) != is_whole
    assert gateway.journal.of("outcome")[0]["status"] == ("ok" if is_whole else "failed")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"message": "This model's maximum context length is 10 tokens."}, "context_length_exceeded"),
        ({"message": "The prompt was filtered.", "code": "content_filter", "param": "prompt"}, "content_filter"),
    ],
)
async def test_azures_refusal_keeps_its_code(tmp_path: Path, error: dict[str, str], code: str) -> None:
    """Litellm quotes the message alone: agents were not told that a conversation had become too long."""
    async with before("azure", tmp_path) as (gateway, server):
        server.status, server.body = 400, orjson.dumps({"error": error})
        answer = await gateway.chat(model="strong")
    told = answer.json()["error"]
    assert (answer.status_code, told["message"], told["code"]) == (400, error["message"], code)
    assert told["param"] == error.get("param")


@pytest.mark.parametrize("provider", ["deepseek", "gemini", "bedrock"])
@pytest.mark.parametrize("nonsense", [b"<html>an error of some proxy</html>", b"null"])
async def test_an_answer_that_litellm_cannot_read_is_no_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str, nonsense: bytes
) -> None:
    """Of Bedrock and Gemini it was told as their 422, in litellm's words, and nobody else was asked."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    async with before(provider, tmp_path, keyed=provider != "bedrock") as (gateway, server):
        server.body = nonsense
        answer = await gateway.chat(model="strong")
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_failed")
    assert {attempt["error"] for attempt in gateway.journal.of("outcome")[0]["attempts"]} == {"protocol"}


@pytest.mark.parametrize("keyed", [True, False])
async def test_no_secret_that_a_provider_quotes_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keyed: bool
) -> None:
    """Those that litellm found in the environment were."""
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    async with before("mistral", tmp_path, keyed=keyed, environ={"MISTRAL_API_KEY": KEY}) as (gateway, server):
        server.status = 400
        server.body = orjson.dumps({"object": "error", "message": f"no such model for {KEY}", "code": "1000"})
        answer = await gateway.chat(model="strong")
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "no such model for ***")


async def test_what_litellm_thinks_a_stream_costs_is_not_what_its_provider_charges(tmp_path: Path) -> None:
    """It stood where OpenRouter, xAI and Perplexity say what they charge, and was read as that."""
    async with before("mistral", tmp_path) as (gateway, server):
        model = {"model": MODELS["mistral"][0]}
        server.stream(
            {**model, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "hello"}}]},
            {**model, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": USAGE},
        )
        answer = await gateway.chat(model="strong", stream=True)
    assert '"cost"' not in answer.text
    (outcome,) = gateway.journal.of("outcome")
    assert (outcome["status"], outcome["usage"].get("billed_usd")) == ("ok", None)
    assert outcome["cost_usd"] == pytest.approx((100 * 3 + 20 * 15) / 1_000_000)


@pytest.mark.parametrize("provider", OF_CHATS)
async def test_tokens_that_a_provider_does_not_count_are_unknown(tmp_path: Path, provider: str) -> None:
    """Litellm's guess stood as what was counted, and was billed."""
    async with before(provider, tmp_path) as (gateway, server):
        server.stream(
            {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "hello"}}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        )
        answer = await gateway.chat(model="strong", stream=True, stream_options={"include_usage": True})
    assert '"finish_reason":"stop"' in answer.text
    (outcome,) = gateway.journal.of("outcome")
    assert (outcome["status"], outcome["usage"], outcome["cost_usd"]) == ("ok", None, None)


async def test_litellm_ends_no_silence_that_its_backend_may_keep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has one limit, and was told that of the first token: later pieces had no longer, whatever their own."""
    library = import_module("litellm")
    told: list[float] = []
    really_asked = library.acompletion

    async def asked(**wanted: Any) -> Any:
        told.append(wanted["timeout"])
        return await really_asked(**wanted)

    monkeypatch.setattr(library, "acompletion", asked)
    async with before("mistral", tmp_path) as (gateway, server):
        server.stream(
            {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "hello"}}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        )
        answer = await gateway.chat(model="strong", stream=True)
    assert "hello" in answer.text
    assert told[0] > LIMITS.stall_timeout_s > LIMITS.first_token_timeout_s


async def test_no_tokenizer_is_downloaded_to_guess_a_price(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For every stream of a Llama one was looked for at Hugging Face, and all requests waited meanwhile."""
    looked_for: list[str] = []
    monkeypatch.setattr("litellm.utils._load_huggingface_tokenizer", lambda name, *_, **__: looked_for.append(name))
    async with before("groq", tmp_path) as (gateway, server):
        server.stream(
            {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "hello"}}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        )
        answer = await gateway.chat(model="strong", stream=True)
    assert "hello" in answer.text
    assert looked_for == []


async def test_an_operator_lets_further_parameters_travel(tmp_path: Path) -> None:
    async with before("mistral", tmp_path / "with", extra_parameters=frozenset({"safe_prompt"})) as (gateway, server):
        server.status = 400
        await gateway.chat(model="strong", safe_prompt=True)
        other = await gateway.chat(model="strong", safe_prompt=True, random_seed=1)
    assert [asked.get("safe_prompt") for asked in server.asked] == [True]
    assert other.json()["error"]["param"] == "random_seed"
    async with before("mistral", tmp_path / "without") as (gateway, server):
        refused = await gateway.chat(model="strong", safe_prompt=True)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "safe_prompt")
    assert server.asked == []


@pytest.mark.parametrize("door", ["messages", "responses"])
async def test_so_they_do_through_other_doors(tmp_path: Path, door: str) -> None:
    asked = (
        {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9} if door == "messages" else {"input": "hi"}
    )
    async with before("mistral", tmp_path, extra_parameters=frozenset({"safe_prompt"})) as (gateway, server):
        server.status = 400
        await gateway.client.post(f"/v1/{door}", json={"model": "strong", "safe_prompt": True, **asked})
    assert [sent.get("safe_prompt") for sent in server.asked] == [True]
