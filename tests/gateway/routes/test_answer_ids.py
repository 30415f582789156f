"""What answers are called: as their protocol has it, the same throughout, and so that feedback finds the decision."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.journal import JournalReader, SqliteJournal
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from tests.gateway.anthropic_provider import before_anthropic, serve_claude
from tests.gateway.openai_provider import FakeOpenAI
from tests.gateway.running import HI, RunningGateway, backend, pair, running

pytestmark = pytest.mark.loopback

RESPONSES, MESSAGES, COMPLETIONS = "/v1/responses", "/v1/messages", "/v1/completions"
UNSTORED: dict[str, Any] = {"model": "strong", "input": "hi", "store": False}
DOORS = [
    (RESPONSES, UNSTORED, "resp_"),
    (MESSAGES, {"model": "strong", "max_tokens": 9, "messages": HI}, "msg_"),
    (COMPLETIONS, {"model": "strong", "prompt": "hi"}, "cmpl-"),
]


def ids_told(stream: str) -> list[str]:
    """Of the answer, by every event that names it."""
    told = [orjson.loads(line.removeprefix("data: ")) for line in stream.splitlines() if line.startswith("data: {")]
    heads = [event.get("response") or event.get("message") or event for event in told]
    return [head["id"] for head in heads if "id" in head]


async def answered(gateway: RunningGateway, path: str, body: dict[str, Any], *, stream: bool) -> str:
    answer = await gateway.client.post(path, json={**body, "stream": stream})
    assert answer.status_code == 200, answer.text
    if not stream:
        return str(answer.json()["id"])
    (name,) = set(ids_told(answer.text))
    return name


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("path", "body", "prefix"), DOORS)
async def test_over_a_chat_server_an_answer_is_called_as_its_clients_expect(
    tmp_path: Path, path: str, body: dict[str, Any], prefix: str, stream: bool
) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        names = [await answered(gateway, path, body, stream=stream) for _ in range(2)]
    assert all(re.fullmatch(prefix + "[0-9a-f]{32}", name) for name in names)
    assert len(set(names)) == 2  # though the server calls every answer alike
    assert [outcome["response_id"] for outcome in gateway.journal.of("outcome")] == names


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("path", "body", "prefix"), DOORS[:2])
async def test_so_it_is_where_personal_data_is_put_back(
    tmp_path: Path, path: str, body: dict[str, Any], prefix: str, stream: bool
) -> None:
    said = orjson.loads(orjson.dumps(body).replace(b'"hi"', b'"write to a@example.com"'))
    async with pair(tmp_path, settings={"privacy": {"mode": "redact"}}) as (gateway, strong, _):
        name = await answered(gateway, path, said, stream=stream)
    assert b"write to [EMAIL_1]" in strong.raw_requests[0]
    assert name.startswith(prefix)
    assert gateway.journal.of("outcome")[0]["response_id"] == name


@pytest.mark.parametrize("stream", [False, True])
async def test_items_are_called_by_their_response_as_their_kinds_are(tmp_path: Path, stream: bool) -> None:
    calls = [
        {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
        {"id": "call_2", "type": "function", "function": {"name": "apply_patch", "arguments": '{"input":"x"}'}},
    ]
    tools = [
        {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False},
        {"type": "custom", "name": "apply_patch"},
    ]
    async with pair(tmp_path) as (gateway, strong, _):
        strong.answer_with({"reasoning_content": "Hm.", "content": "Well.", "tool_calls": calls})
        answer = await gateway.client.post(RESPONSES, json={**UNSTORED, "tools": tools, "stream": stream})
    told = answer.json() if not stream else orjson.loads(answer.text.rstrip().rsplit("data: ", 1)[1])["response"]
    assert [item["id"] for item in told["output"]] == [
        f"{kind}_{told['id']}_{place}" for place, kind in enumerate(("rs", "msg", "fc", "ctc"))
    ]


@pytest.mark.parametrize("store", [False, True])
async def test_a_response_that_breaks_off_fails_under_the_name_that_it_began_with(tmp_path: Path, store: bool) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        strong.misbehave(Misbehaviour(fault="truncated_stream"))
        answer = await gateway.client.post(RESPONSES, json={**UNSTORED, "store": store, "stream": True})
    assert answer.text.count("event: response.failed") == 1
    names = ids_told(answer.text)
    assert len(names) == 3  # created, in progress, failed
    assert {*names} == {gateway.journal.of("outcome")[0]["response_id"]}


async def test_a_response_that_could_not_be_stored_is_known_by_the_name_that_it_has(tmp_path: Path) -> None:
    settings = {"responses": {"max_kb_each": 1}}
    searching = {"model": "cheap", "tools": [{"type": "web_search"}]}  # which passes to OpenAI
    async with (
        FakeProvider(words=("x" * 2_000,)) as chats,
        FakeOpenAI(words=("x" * 2_000,)) as there,
        running(
            backend("strong", chats.url),
            replace(backend("cheap", there.url), provider="openai"),
            tmp_path=tmp_path,
            settings=settings,
            make_serving=serve_claude,
        ) as gateway,
    ):
        names = [
            await answered(gateway, RESPONSES, {**UNSTORED, "store": True, **more}, stream=False)
            for more in ({}, searching)
        ]
        found = [(await gateway.client.get(f"{RESPONSES}/{name}")).status_code for name in names]
    assert found == [404, 404]
    assert [outcome["response_id"] for outcome in gateway.journal.of("outcome")] == names


@pytest.mark.parametrize("stream", [False, True])
async def test_what_anthropic_answers_a_chat_is_called_as_a_chat_completion(tmp_path: Path, stream: bool) -> None:
    async with before_anthropic(tmp_path) as (gateway, _):
        answer = await gateway.chat(model="claude", stream=stream)
    names = set(ids_told(answer.text)) if stream else {answer.json()["id"]}
    assert names == {gateway.journal.of("outcome")[0]["response_id"]} == {"chatcmpl-fake"}  # msg_fake, there


@pytest.mark.parametrize("stream", [False, True])
async def test_feedback_by_that_name_finds_its_decision_after_a_restart_and_in_another_gateway(
    tmp_path: Path, stream: bool
) -> None:
    path = tmp_path / "journal.sqlite3"
    async with pair(tmp_path / "one", journal=SqliteJournal(path)) as (gateway, _, __):
        name = await answered(gateway, RESPONSES, UNSTORED, stream=stream)
    async with pair(tmp_path / "other", journal=SqliteJournal(path)) as (gateway, _, __):
        said = await gateway.client.post("/v1/feedback", json={"response_id": name, "value": 0.25})
    assert said.status_code == 200
    with JournalReader(path) as reader:
        (call,) = reader.calls()
        assert reader.decision_of(name) == call.decision["decision_id"]
        assert [feedback["value"] for feedback in call.feedback] == [0.25]
