"""A request that no window holds is refused as agents recognise it: they then shorten their conversation and go on."""

import json
import re
from pathlib import Path
from typing import Any

import openai
import pytest
from aiohttp import web

from gateway.upstreams.fake import FakeProvider
from tests.gateway.running import CHAT, backend, running

pytestmark = pytest.mark.loopback

LONG = [{"role": "user", "content": "some words " * 8_000}]  # some 16,000 tokens, before windows of 10,000
SHORT = [{"role": "user", "content": "hi"}]


async def test_what_no_window_holds_is_told_in_each_protocols_own_words(tmp_path: Path) -> None:
    async with running(backend("strong", "http://127.0.0.1:9/v1"), tmp_path=tmp_path) as gateway:
        chat = await gateway.client.post(CHAT, json={"model": "auto", "messages": LONG, "stream": True})
        message = {"model": "auto", "max_tokens": 9, "messages": LONG, "stream": True}
        messages = await gateway.client.post("/v1/messages", json=message)
        roomy = await gateway.client.post("/v1/messages", json={**message, "max_tokens": 32_000, "messages": SHORT})
        whole = await gateway.client.post("/v1/responses", json={"model": "auto", "input": LONG})
    error = chat.json()["error"]
    assert (chat.status_code, error["code"], error["rejections"]) == (400, "context_length_exceeded", {"context": 1})
    assert re.match(r"This model's maximum context length is 10000 tokens\. However, you requested", error["message"])
    assert (messages.status_code, messages.json()["error"]["type"]) == (400, "invalid_request_error")
    assert re.fullmatch(r"prompt is too long: 1\d{4} tokens > 10000 maximum", messages.json()["error"]["message"])
    less = r"input length and `max_tokens` exceed context limit: \d+ \+ 32000 > 10000, decrease"  # and they allow less
    assert re.match(less, roomy.json()["error"]["message"])
    assert (whole.status_code, whole.json()["error"]["code"]) == (400, "context_length_exceeded")


async def test_a_stream_of_responses_tells_it_in_the_stream_where_openai_does(tmp_path: Path) -> None:
    async with running(backend("strong", "http://127.0.0.1:9/v1"), tmp_path=tmp_path) as gateway:
        told = await gateway.client.post("/v1/responses", json={"model": "auto", "input": LONG, "stream": True})
        sdk = openai.AsyncOpenAI(
            base_url=f"{gateway.client.base_url}/v1", api_key="-", http_client=gateway.client, max_retries=0
        )
        with pytest.raises(openai.APIError) as caught:
            async for _ in await sdk.responses.create(model="auto", input="some words " * 8_000, stream=True):
                pass
    assert (told.status_code, told.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    failed, error = (json.loads(line[6:]) for line in told.text.splitlines() if line.startswith("data: "))
    assert (failed["type"], failed["response"]["error"]["code"]) == ("response.failed", "context_length_exceeded")
    assert (error["type"], error["error"]["code"]) == ("error", "context_length_exceeded")
    assert caught.value.code == "context_length_exceeded"


async def test_a_request_that_breaks_something_else_as_well_is_not_called_too_long(tmp_path: Path) -> None:
    async with running(backend("strong", "http://127.0.0.1:9/v1"), tmp_path=tmp_path) as gateway:
        routing = {"require": {"min_quality": 0.99}}
        answer = await gateway.client.post(CHAT, json={"model": "auto", "messages": LONG, "routing": routing})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_eligible_model")


class Full(FakeProvider):
    said = ""

    async def _answer(self, request: web.Request, body: Any, how: Any) -> web.StreamResponse:
        return web.json_response({"error": {"message": self.said, "type": "invalid_request_error"}}, status=400)


@pytest.mark.parametrize(
    "said",
    [
        "the request exceeds the available context size, try increasing it",
        "This model's maximum prompt length is 131072 but the request contains 537812 tokens",
        "input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000, decrease input length",
    ],
)
async def test_what_a_backend_says_of_its_window_is_recognised_whoever_asks(tmp_path: Path, said: str) -> None:
    async with Full() as full, running(backend("strong", full.url), tmp_path=tmp_path) as gateway:
        full.said = said
        asked = {"model": "auto", "max_tokens": 9, "messages": SHORT}
        message = (await gateway.client.post("/v1/messages", json=asked)).json()["error"]["message"]
        chat = await gateway.chat(model="auto")
    assert re.match(r"prompt is too long|input length and `max_tokens` exceed context limit: 190000 \+ ", message)
    assert chat.json()["error"]["code"] == "context_length_exceeded"
    assert said in chat.json()["error"]["message"]
    assert re.search("aximum context length|available context size|exceed context", chat.json()["error"]["message"])
