"""The fault matrix again, for clients that speak Anthropic's Messages and OpenAI's Responses.

What users of today's gateways suffer from: BerriAI/litellm#28216 (no handling midway on the Responses path), #40404 and
Portkey-AI/gateway#1797.
"""

from pathlib import Path

import orjson
import pytest

from gateway.upstreams.fake import FakeProvider, Misbehaviour
from tests.gateway.faults import BEFORE_CONTENT, MIDWAY, ONLY_WHOLE, ask, cases
from tests.gateway.running import HI, backend, running

pytestmark = pytest.mark.loopback

_ENDS = {"/v1/messages": "message_stop", "/v1/responses": "response.completed"}
doors = pytest.mark.parametrize("door", list(_ENDS))


@doors
@pytest.mark.parametrize("how", cases(BEFORE_CONTENT | ONLY_WHOLE))
async def test_before_the_answer_another_backend_takes_over(tmp_path: Path, door: str, how: Misbehaviour) -> None:
    seen = await ask(tmp_path, door, how, stream=False)
    assert (seen.answer.status_code, seen.words, seen.asked) == (200, "cheap", (1, 1))
    assert seen.answer.headers["x-paretogate-fallback-from"] == "strong"
    assert seen.answer.json()["model"] == "maker/cheap"


@doors
@pytest.mark.parametrize("how", cases(BEFORE_CONTENT))
async def test_before_the_first_content_of_a_stream_another_backend_takes_over(
    tmp_path: Path, door: str, how: Misbehaviour
) -> None:
    seen = await ask(tmp_path, door, how, stream=True)
    assert (seen.answer.status_code, seen.asked) == (200, (1, 1))
    assert seen.answer.headers["x-paretogate-fallback-from"] == "strong"
    assert seen.events[-1]["type"] == _ENDS[door]
    assert "cheap" in seen.answer.text
    assert "strong" not in seen.answer.text.replace('"fallback_from":["strong"]', "")


@doors
@pytest.mark.parametrize("how", cases(MIDWAY))
async def test_after_the_first_content_a_failure_is_an_error_event_and_never_a_clean_end(
    tmp_path: Path, door: str, how: Misbehaviour
) -> None:
    seen = await ask(tmp_path, door, how, stream=True)
    kinds = [event["type"] for event in seen.events]
    assert "strong" in seen.answer.text
    assert kinds[-1] == "error"
    assert _ENDS[door] not in kinds
    assert seen.asked == (1, 0)
    if door == "/v1/responses":
        assert seen.events[-2]["response"]["status"] == "failed"
    assert seen.journal.of("outcome")[0]["status"] == "failed"


@doors
@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal_has_the_clients_own_shape(tmp_path: Path, door: str, stream: bool) -> None:
    how = Misbehaviour(fault="status", status=429, retry_after="30")
    seen = await ask(tmp_path, door, how, stream=stream, allow_fallbacks=False)
    told = orjson.loads(seen.answer.content)
    assert (seen.answer.status_code, seen.answer.headers["retry-after"]) == (429, "30")
    if door == "/v1/messages":
        assert (told["type"], told["error"]["type"]) == ("error", "rate_limit_error")
        assert told["request_id"] == seen.answer.headers["x-request-id"]
    else:
        assert (told["error"]["type"], told["error"]["code"]) == ("rate_limit_error", "rate_limit_exceeded")


async def test_a_call_with_malformed_arguments_is_made_by_another_backend(tmp_path: Path) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{"}}
    async with (
        FakeProvider() as strong,
        FakeProvider(words=("cheap",)) as cheap,
        running(backend("strong", strong.url), backend("cheap", cheap.url), tmp_path=tmp_path) as gateway,
    ):
        strong.answer_with({"tool_calls": [call]}, finish_reason="tool_calls")
        body = {"model": "auto:best", "max_tokens": 9, "messages": HI}
        answer = await gateway.client.post("/v1/messages", json=body)
    assert answer.json()["content"][0]["text"] == "cheap"
    assert gateway.journal.of("outcome")[0]["attempts"] == [{"backend": "strong", "error": "protocol"}]


async def test_a_streamed_call_with_malformed_arguments_ends_with_an_error(tmp_path: Path) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '"rain"'}}  # as a small model on vLLM
    async with (
        FakeProvider() as strong,
        running(backend("strong", strong.url), tmp_path=tmp_path) as gateway,
    ):
        strong.answer_with({"tool_calls": [call]}, finish_reason="tool_calls")
        body = {"model": "auto:best", "stream": True, "max_tokens": 9, "messages": HI}
        answer = await gateway.client.post("/v1/messages", json=body)
    assert answer.text.count("event: error\n") == 1
    assert "malformed arguments" in answer.text
    assert "message_stop" not in answer.text
    assert gateway.journal.of("outcome")[0]["status"] == "failed"
