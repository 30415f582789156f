"""What backends say beside an error's status."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from gateway.upstreams.fake import FakeProvider, Misbehaviour
from gateway.upstreams.refusals import own_words
from tests.gateway.running import backend, running

EXTRA = {"type": "extra_forbidden", "loc": ["body", "store"], "msg": "Extra inputs are not permitted", "input": 1}
MISSING = {"type": "missing", "loc": ["body", "messages", 0, "role"], "msg": "Field required"}
GROQ = "property 'store' is unsupported"
GEMINI = 'Invalid JSON payload received. Unknown name "store": Cannot find field.'
GPT = "Function tools with reasoning_effort are not supported for gpt-5.4 in /v1/chat/completions."
CLAUDE = "This model does not support assistant message prefill. The conversation must end with a user message."
VLLM = "This model's maximum context length is 2048 tokens. However, you requested 2049 tokens."
CLAUDES_WINDOW = "prompt is too long: 200001 tokens > 200000 maximum"
OPENAI, OPENAIS_NEWER = "Unrecognized request argument supplied: store", "Unknown parameter: 'store'."
UNTAKEN = {"param": "store", "code": "unsupported_parameter"}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"error": {"message": "no", "param": "n", "code": "x"}}, {"message": "no", "param": "n", "code": "x"}),
        ({"error": "no"}, {"message": "no"}),
        ([{"error": {"code": 400, "message": GEMINI}}], {"message": GEMINI, **UNTAKEN}),
        ({"object": "error", "message": "no", "param": None, "code": "3280"}, {"message": "no", "code": "3280"}),
        ({"error": {"message": GROQ}}, {"message": GROQ, **UNTAKEN}),
        ({"error": {"message": OPENAI, "code": None, "param": None}}, {"message": OPENAI, **UNTAKEN}),
        ({"error": {"message": OPENAIS_NEWER, "code": "unknown_parameter"}}, {"message": OPENAIS_NEWER, **UNTAKEN}),
        ({"detail": "no"}, {"message": "no"}),
        ({"detail": [MISSING]}, {"message": "messages.0.role: Field required", "param": "messages.0.role"}),
        ({"message": {"detail": [EXTRA]}}, {"message": "store: Extra inputs are not permitted", **UNTAKEN}),
        ({"message": '{"detail": [{"loc": ["body"], "msg": "no"}]}'}, {"message": ": no", "param": ""}),
        ({"detail": [EXTRA, MISSING]}, {"param": "store"}),  # the second would be wrong for others, too
        ({"error": {"message": GPT, "code": None}}, {"message": GPT, "code": "unsupported_parameter"}),
        ({"object": "error", "message": VLLM, "code": 400}, {"message": VLLM, "code": "context_length_exceeded"}),
        ({"error": {"message": CLAUDES_WINDOW}}, {"message": CLAUDES_WINDOW, "code": "context_length_exceeded"}),
        ({"type": "error", "error": {"message": CLAUDE}}, {"message": CLAUDE, "code": "unsupported_parameter"}),
    ],
)
def test_it_is_told_in_one_shape(said: Any, told: dict[str, Any]) -> None:
    found = own_words(said) or {}
    assert {name: found[name] for name in told} == told
    assert ("code" in told) == (found.get("code") is not None)


@pytest.mark.parametrize("said", [None, [], {}, "no", 3, {"detail": []}, {"detail": [3]}, {"message": []}])
def test_what_says_nothing_is_told_as_nothing(said: Any) -> None:
    assert own_words(said) is None


class Particular(FakeProvider):
    """Refuses whatever has a `store`, in these words."""

    status, said = 422, {"detail": [EXTRA]}

    async def _answer(self, request: web.Request, body: Any, how: Any) -> web.StreamResponse:
        if "store" in body:
            return web.json_response(self.said, status=self.status)
        return await super()._answer(request, body, how)


@pytest.mark.loopback
async def test_what_one_model_does_not_take_another_is_asked(tmp_path: Path) -> None:
    async with (
        Particular() as strong,
        FakeProvider(words=("cheap",)) as cheap,
        running(backend("strong", strong.url), backend("cheap", cheap.url), tmp_path=tmp_path) as gateway,
    ):
        answer = await gateway.chat(model="auto:best", store=True)
        named = [await gateway.chat(model="strong", store=True) for _ in range(9)]  # which is no sign of being unwell
        well = await gateway.chat(model="auto:best")
    assert (answer.status_code, answer.json()["choices"][0]["message"]["content"]) == (200, "cheap")
    assert answer.headers["x-paretogate-fallback-from"] == "strong"
    assert {each.status_code for each in named} == {422}
    error = named[0].json()["error"]
    assert (error["param"], error["code"]) == ("store", "unsupported_parameter")
    assert re.search("Extra inputs are not permitted", error["message"])
    assert len(strong.requests) == 11  # each named one was asked once
    assert well.headers["x-paretogate-backend"] == "strong"
    statuses = [record["status"] for record in gateway.journal.of("outcome")]
    assert statuses == ["ok", *["rejected"] * 9, "ok"]


async def refused(
    tmp_path: Path, status: int, error: dict[str, Any]
) -> tuple[Particular, httpx.Response, httpx.Response]:
    """A provider that refuses, and what is heard where another backend may answer, and where none may."""
    async with (
        Particular() as strong,
        FakeProvider(words=("cheap",)) as cheap,
        running(backend("strong", strong.url), backend("cheap", cheap.url), tmp_path=tmp_path) as gateway,
    ):
        strong.status, strong.said = status, {"error": error}
        other = await gateway.chat(model="auto:best", store=True)
        named = await gateway.chat(model="strong", store=True)
    return strong, other, named


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"message": VLLM}),
        (400, {"message": "Invalid 'tools[0].function.name'", "code": "string_above_max_length"}),  # 64 characters
        (413, {"message": "Request too large, tokens per minute: Limit 6000", "code": "rate_limit_exceeded"}),  # Groq
    ],
)
async def test_limits_of_one_provider_are_not_those_of_others(
    tmp_path: Path, status: int, error: dict[str, Any]
) -> None:
    _, answer, named = await refused(tmp_path, status, error)
    assert (answer.status_code, answer.json()["choices"][0]["message"]["content"]) == (200, "cheap")
    assert (named.status_code, named.json()["error"]["message"]) == (status, error["message"])


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, {"message": "You exceeded your current quota", "code": "insufficient_quota"}),  # OpenAI
        (429, {"message": "Your account is suspended", "type": "exceeded_current_quota_error"}),  # Moonshot
        (402, {"message": "Insufficient Balance", "code": "invalid_request_error"}),  # DeepSeek
    ],
)
async def test_an_account_without_credit_is_no_rate_limit_that_would_pass(
    tmp_path: Path, status: int, error: dict[str, Any]
) -> None:
    strong, other, named = await refused(tmp_path, status, error)
    assert other.headers["x-paretogate-fallback-from"] == "strong"
    assert (named.status_code, named.headers["x-should-retry"]) == (502, "false")  # which SDKs obey
    assert "out of credit" in named.json()["error"]["message"]
    assert len(strong.requests) == 2  # each time once


KEY, IN_A_HEADER = "9f8e7d6c5b4a-of-ours", "tok-of-a-gate"


@pytest.mark.loopback
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_refusal_that_quotes_our_key_is_told_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, stream: bool
) -> None:
    """Some servers quote the whole key, and some say 400 where others say 401."""
    error = {"message": f"Incorrect API key provided: {KEY}, {IN_A_HEADER}", "param": KEY, "code": KEY, "type": "x"}
    monkeypatch.setattr("gateway.upstreams.fake._ERROR", {"error": error})
    shown = {"x-gate": f"Token {IN_A_HEADER}", "x-short": "api"}
    async with (
        FakeProvider() as provider,
        running(backend("strong", provider.url, headers=shown), tmp_path=tmp_path, api_keys={"strong": KEY}) as gateway,
    ):
        provider.misbehave(Misbehaviour(fault="status", status=status))
        answer = await gateway.chat(model="strong", stream=stream)
    assert answer.status_code == status
    assert answer.json()["error"]["message"] == "Incorrect API key provided: ***, ***"
    assert KEY not in answer.text + str(answer.headers)
    assert provider.request_headers[-1]["x-gate"] == shown["x-gate"]
