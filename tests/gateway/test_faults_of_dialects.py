"""The fault matrix again, for clients that speak Anthropic's Messages and OpenAI's Responses.

What users of today's gateways suffer from: BerriAI/litellm#28216 (no handling midway on the Responses path), #40404 and
Portkey-AI/gateway#1797.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from catalog import Limits
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from tests.gateway.running import HI, ListJournal, backend, running
from tests.gateway.test_faults import BEFORE_CONTENT, MIDWAY, ONLY_WHOLE, cases, limits_for
from tests.gateway.wire.chats import events_in

pytestmark = pytest.mark.loopback

_ASKS: dict[str, dict[str, Any]] = {
    "/v1/messages": {"max_tokens": 9, "messages": HI},
    "/v1/responses": {"input": "hi"},
}
_ENDS = {"/v1/messages": "message_stop", "/v1/responses": "response.completed"}
doors = pytest.mark.parametrize("door", list(_ASKS))


@dataclass
class Seen:
    answer: httpx.Response
    journal: ListJournal
    asked: tuple[int, int]  # how often the strong and the cheap backend were

    @property
    def words(self) -> str:
        told = self.answer.json()
        blocks = told["content"] if "content" in told else told["output"][0]["content"]
        return str(blocks[0]["text"])

    @property
    def events(self) -> list[dict[str, Any]]:
        return events_in(self.answer.content)


async def ask(tmp_path: Path, door: str, how: Misbehaviour, *, stream: bool, **routing: object) -> Seen:
    async with (
        FakeProvider(words=("strong",)) as strong,
        FakeProvider(words=("cheap",)) as cheap,
        running(
            backend("strong", strong.url, limits=limits_for(how)),
            backend("cheap", cheap.url, limits=Limits()),
            tmp_path=tmp_path,
        ) as gateway,
    ):
        strong.misbehave(how)
        body = {"model": "auto", "stream": stream, "routing": {"policy": "best", **routing}, **_ASKS[door]}
        answer = await gateway.client.post(door, json=body)
        return Seen(answer, gateway.journal, (len(strong.requests), len(cheap.requests)))


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
        body = {"model": "auto:best", **_ASKS["/v1/messages"]}
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
        body = {"model": "auto:best", "stream": True, **_ASKS["/v1/messages"]}
        answer = await gateway.client.post("/v1/messages", json=body)
    assert answer.text.count("event: error\n") == 1
    assert "malformed arguments" in answer.text
    assert "message_stop" not in answer.text
    assert gateway.journal.of("outcome")[0]["status"] == "failed"
