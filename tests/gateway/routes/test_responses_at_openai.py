"""Responses that only OpenAI can give, over real sockets and by its own client: they pass as they came."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest

from catalog import Limits
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from tests.gateway.anthropic_provider import serve_claude
from tests.gateway.faults import limits_for
from tests.gateway.governance.test_governor import make_key
from tests.gateway.openai_provider import FakeOpenAI
from tests.gateway.running import PATIENT, RunningGateway, backend, running
from tests.gateway.wire.chats import events_in

pytestmark = pytest.mark.loopback

SEARCH: Any = {"type": "web_search"}
BOTH = pytest.mark.parametrize("stream", [False, True])


@asynccontextmanager
async def before_openai(
    tmp_path: Path, *, limits: Limits = PATIENT
) -> AsyncIterator[tuple[RunningGateway, FakeOpenAI, FakeProvider]]:
    """The cheap model is OpenAI's; the strong one cannot search."""
    async with (
        FakeOpenAI() as there,
        FakeProvider(words=("strong",)) as strong,
        running(
            backend("strong", strong.url),
            replace(backend("cheap", there.url, limits=limits), provider="openai"),
            tmp_path=tmp_path,
            make_serving=serve_claude,
        ) as gateway,
    ):
        yield gateway, there, strong


def client_of(gateway: RunningGateway) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0)


async def test_a_search_of_the_web_is_made_where_it_can_be(tmp_path: Path) -> None:
    async with before_openai(tmp_path) as (gateway, there, strong):
        told = await client_of(gateway).responses.create(model="auto:best", input="hi", tools=[SEARCH])
    assert (told.output_text, told.model) == ("Hello there", "maker/cheap")
    assert [item.type for item in told.output] == ["reasoning", "web_search_call", "web_search_call", "message"]
    assert there.asked_at == ["/v1/responses"]
    assert there.requests == [{"model": "cheap-raw", "input": "hi", "tools": [SEARCH]}]
    assert strong.requests == []
    (outcome,) = gateway.journal.of("outcome")
    assert (outcome["status"], outcome["finish_reason"]) == ("ok", "stop")
    counted = {"input_tokens": 100, "cached_input_tokens": 40, "output_tokens": 20, "reasoning_tokens": 8}
    assert {name: outcome["usage"][name] for name in counted} == counted
    assert outcome["usage"]["web_searches"] == 1  # a page that is opened is no search
    assert outcome["cost_usd"] == pytest.approx((60 * 0.1 + 40 * 0.05 + 20 * 0.2) / 1e6 + 0.01)


async def test_it_streams(tmp_path: Path) -> None:
    async with before_openai(tmp_path) as (gateway, there, _):
        events = [
            event
            async for event in await client_of(gateway).responses.create(
                model="auto:best", input="hi", tools=[SEARCH], stream=True
            )
        ]
        whole = await client_of(gateway).responses.create(model="auto:best", input="hi", tools=[SEARCH])
    assert [event.type for event in events] == [told["type"] for told in there.events({"model": "x"})]
    last = events[-1]
    assert last.type == "response.completed"
    assert (last.response.output_text, last.response.model) == ("Hello there", "maker/cheap")
    assert {event.response.id for event in events if hasattr(event, "response")} == {last.response.id}
    streamed, at_once = gateway.journal.of("outcome")
    assert streamed["usage"] == at_once["usage"]
    assert last.response.routing["cost_usd"] == streamed["cost_usd"] == at_once["cost_usd"]  # type: ignore[attr-defined] # ours
    assert whole.output == last.response.output


@BOTH
async def test_a_conversation_goes_on_from_what_is_stored_here(tmp_path: Path, stream: bool) -> None:
    async with before_openai(tmp_path) as (gateway, there, _):
        client = client_of(gateway)
        if stream:
            async with client.responses.stream(model="cheap", input="hi", tools=[SEARCH]) as events:
                first = await events.get_final_response()
        else:
            first = await client.responses.create(model="cheap", input="hi", tools=[SEARCH])
        kept = await client.responses.retrieve(first.id)
        await client.responses.create(model="cheap", input="more", tools=[SEARCH], previous_response_id=first.id)
    assert first.id.startswith("resp_")
    assert first.id != "resp_of_openai"
    assert (kept.id, kept.output_text) == (first.id, "Hello there")
    asked = there.requests[-1]
    assert "previous_response_id" not in asked
    assert [item["type"] for item in asked["input"]] == [
        *["message", "reasoning", "web_search_call", "web_search_call", "message", "message"]
    ]
    assert [item.get("id") for item in asked["input"]] == [None, "rs_1", "ws_1", "ws_2", "msg_1", None]


async def test_without_openai_it_is_refused_by_name(tmp_path: Path) -> None:
    async with (
        FakeProvider() as strong,
        running(backend("strong", strong.url), tmp_path=tmp_path) as gateway,
    ):
        with pytest.raises(openai.BadRequestError, match="web_search runs at its provider only") as refused:
            await client_of(gateway).responses.create(model="auto", input="hi", tools=[SEARCH])
    assert refused.value.param == "tools[0].type"
    assert strong.requests == []


async def test_what_nobody_may_retain_is_not_left_with_openai(tmp_path: Path) -> None:
    body = {"model": "auto", "input": "hi", "tools": [SEARCH], "routing": {"require": {"privacy": "no_retention"}}}
    async with (
        FakeOpenAI() as there,
        running(
            replace(backend("cheap", there.url), provider="openai", privacy="no_retention"),
            tmp_path=tmp_path,
            make_serving=serve_claude,
        ) as gateway,
    ):
        refused = await gateway.client.post("/v1/responses", json=body)
        told = await gateway.client.post("/v1/responses", json={**body, "store": False})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "store")
    assert told.status_code == 200
    assert [asked["store"] for asked in there.requests] == [False]


async def test_a_model_of_somebody_else_that_was_named_says_so(tmp_path: Path) -> None:
    async with before_openai(tmp_path) as (gateway, there, strong):
        with pytest.raises(openai.BadRequestError, match="web_search"):
            await client_of(gateway).responses.create(model="strong", input="hi", tools=[SEARCH])
    assert there.requests == strong.requests == []


async def test_another_of_openais_takes_over_before_the_first_content(tmp_path: Path) -> None:
    async with (
        FakeOpenAI(words=("strong",)) as strong,
        FakeOpenAI(words=("cheap",)) as cheap,
        running(
            replace(backend("strong", strong.url), provider="openai"),
            replace(backend("cheap", cheap.url), provider="openai"),
            tmp_path=tmp_path,
            make_serving=serve_claude,
        ) as gateway,
    ):
        strong.misbehave(Misbehaviour(fault="status", status=503), times=9)
        told = await client_of(gateway).responses.with_raw_response.create(
            model="auto:best", input="hi", tools=[SEARCH]
        )
    assert told.headers["x-paretogate-fallback-from"] == "strong"
    assert told.parse().output_text == "cheap"


@pytest.mark.parametrize("fault", ["error_in_stream", "truncated_stream", "stall"])
async def test_after_it_there_is_an_error_and_never_a_clean_end(tmp_path: Path, fault: Any) -> None:
    limits = limits_for(Misbehaviour(fault=fault))
    async with before_openai(tmp_path, limits=limits) as (gateway, there, _):
        there.misbehave(Misbehaviour(fault=fault, delay_s=600.0))
        answer = await gateway.client.post(
            "/v1/responses", json={"model": "cheap", "input": "hi", "tools": [SEARCH], "stream": True}
        )
    kinds = [event["type"] for event in events_in(answer.content)]
    assert kinds[-2:] == ["response.failed", "error"]
    assert "response.completed" not in kinds
    failed = events_in(answer.content)[-2]["response"]
    assert (failed["status"], failed["model"]) == ("failed", "maker/cheap")
    assert gateway.journal.of("outcome")[0]["status"] == "failed"


@BOTH
async def test_an_answer_that_was_cut_short_says_so(tmp_path: Path, stream: bool) -> None:
    async with before_openai(tmp_path) as (gateway, there, _):
        there.status = "incomplete"
        answer = await gateway.client.post(
            "/v1/responses", json={"model": "cheap", "input": "hi", "tools": [SEARCH], "stream": stream}
        )
    told = events_in(answer.content)[-1]["response"] if stream else answer.json()
    assert told["status"] == "incomplete"
    assert gateway.journal.of("outcome")[0]["finish_reason"] == "length"


async def test_a_decision_alone_tells_that_nobody_else_can(tmp_path: Path) -> None:
    async with before_openai(tmp_path) as (gateway, there, _):
        told = await gateway.client.post(
            "/routing/v1/responses", json={"model": "auto:best", "input": "hi", "tools": [SEARCH]}
        )
    assert told.json()["models"] == ["maker/cheap"]
    assert there.requests == []


async def test_a_key_that_may_not_search_cannot_choose_to(tmp_path: Path) -> None:
    key = make_key(tmp_path, tools_deny=("tax_*",))
    asked = {"model": "cheap", "input": "hi", "tools": [SEARCH]}
    async with before_openai(tmp_path) as (gateway, there, _):
        chosen = {**asked, "tool_choice": {"type": "web_search"}}
        refused = await gateway.client.post("/v1/responses", json=chosen, headers=key)
        required = {**asked, "tool_choice": "required", "parallel_tool_calls": False}
        answered = await gateway.client.post("/v1/responses", json=required, headers=key)
        free = await gateway.client.post("/v1/responses", json=chosen)
    assert (refused.status_code, answered.status_code, free.status_code) == (403, 200, 200)
    assert refused.json()["error"]["param"] == "tool_choice"
    without, whole = there.requests
    assert {"tools", "tool_choice", "parallel_tool_calls"}.isdisjoint(without)
    assert whole["tool_choice"] == {"type": "web_search"}


async def test_a_key_that_may_search_by_the_kind_of_the_tool_does(tmp_path: Path) -> None:
    key = make_key(tmp_path, tools_allow=("web_search",))
    asked = {"model": "cheap", "input": "hi", "tools": [SEARCH, {"type": "code_interpreter"}], "tool_choice": SEARCH}
    async with before_openai(tmp_path) as (gateway, there, _):
        answered = await gateway.client.post("/v1/responses", json=asked, headers=key)
    assert answered.status_code == 200
    assert (there.requests[0]["tools"], there.requests[0]["tool_choice"]) == ([SEARCH], SEARCH)


OPTIONAL: Any = {"responses": {"optional_tools": ["web_search*"]}}
ADD: Any = {"type": "function", "name": "add", "parameters": {"type": "object"}, "strict": False}
CODEX: Any = {"model": "auto", "input": "hi", "tools": [ADD, SEARCH], "tool_choice": "auto", "store": False}


@asynccontextmanager
async def before_chats_alone(tmp_path: Path) -> AsyncIterator[tuple[RunningGateway, FakeProvider]]:
    async with (
        FakeProvider(words=("strong",)) as strong,
        running(
            backend("strong", strong.url), tmp_path=tmp_path, make_serving=serve_claude, settings=OPTIONAL
        ) as gateway,
    ):
        yield gateway, strong


@BOTH
async def test_a_tool_that_may_be_done_without_is_not_told_to_others(tmp_path: Path, stream: bool) -> None:
    """Codex declares a search of the web with every request, and needs none."""
    async with before_chats_alone(tmp_path) as (gateway, strong):
        told = await gateway.client.post("/v1/responses", json={**CODEX, "stream": stream})
        counted = await gateway.client.post("/v1/responses/input_tokens", json=CODEX)
    assert (told.status_code, counted.status_code) == (200, 200)
    assert told.headers["x-paretogate-left-out"] == "tools.web_search"
    (asked,) = strong.requests
    assert [tool["function"]["name"] for tool in asked["tools"]] == ["add"]
    whole = events_in(told.content)[-1]["response"] if stream else told.json()
    assert [tool["type"] for tool in whole["tools"]] == ["function"]  # it says with what it was made


@pytest.mark.parametrize(
    "more",
    [
        {"tool_choice": "required"},
        {"tool_choice": {"type": "web_search"}},
        {"tools": [SEARCH, {"type": "code_interpreter"}]},
        {"input": [{"type": "web_search_call", "id": "ws_1", "status": "completed"}]},
    ],
)
async def test_what_is_insisted_on_or_not_named_is_refused_as_before(tmp_path: Path, more: dict[str, Any]) -> None:
    async with before_chats_alone(tmp_path) as (gateway, strong):
        told = await gateway.client.post("/v1/responses", json={**CODEX, **more})
    assert (told.status_code, strong.requests) == (400, [])
