"""The fault matrix: an upstream misbehaves on purpose, over real sockets, streaming and not.

What users of today's gateways suffer from: BerriAI/litellm#40404 (fallback gets no request when a stream dies) and
Portkey-AI/gateway#1797 (a truncated stream ends clean).
"""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import httpx
import openai
import orjson
import pytest

from catalog import Limits
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from tests.gateway.faults import BEFORE_CONTENT, MIDWAY, ONLY_WHOLE, ask, cases
from tests.gateway.running import CHAT, HI, PATIENT, backend, pair, running
from tests.waiting import AT_MOST_S

pytestmark = pytest.mark.loopback


@pytest.mark.parametrize("how", cases(BEFORE_CONTENT | ONLY_WHOLE))
async def test_before_the_answer_another_backend_takes_over(tmp_path: Path, how: Misbehaviour) -> None:
    answer, journal, asked = await ask(tmp_path, CHAT, how, stream=False)
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"] == "cheap"
    assert answer.headers["x-paretogate-fallback-from"] == "strong"
    assert asked == (1, 1)
    outcome = journal.of("outcome")[0]
    assert [attempt["backend"] for attempt in outcome["attempts"]] == ["strong"]
    assert (outcome["backend"], outcome["status"]) == ("cheap", "ok")


async def test_what_is_told_and_measured_of_a_forecast_is_of_whoever_answered(tmp_path: Path) -> None:
    """The forecast of the dear model that failed is no forecast of the cheap one's bill: an alert compares the two."""
    async with pair(tmp_path) as (gateway, strong, _):
        strong.misbehave(Misbehaviour(fault="status", status=503), times=9)
        answer = await gateway.chat(routing={"policy": "best"})
        metrics = (await gateway.client.get("/metrics")).text
    assert answer.headers["x-paretogate-model"] == "maker/cheap"
    assert answer.headers["x-paretogate-predicted-quality"] == "0.8000"
    assert answer.headers["x-paretogate-predicted-cost-usd"] == "0.002"  # strong: 0.2
    (sum_line,) = [line for line in metrics.splitlines() if line.startswith("paretogate_prediction_error_sum{")]
    assert float(sum_line.split()[-1]) == pytest.approx(float(answer.headers["x-paretogate-cost-usd"]) / 0.002)


@pytest.mark.parametrize("how", cases(BEFORE_CONTENT))
async def test_before_the_first_content_of_a_stream_another_backend_takes_over(
    tmp_path: Path, how: Misbehaviour
) -> None:
    answer, _, asked = await ask(tmp_path, CHAT, how, stream=True)
    assert answer.status_code == 200
    assert answer.headers["x-paretogate-fallback-from"] == "strong"
    assert answer.headers["x-paretogate-attempts"] == "2"
    assert answer.text.endswith("data: [DONE]\n\n")
    assert "strong" not in answer.text
    assert asked == (1, 1)


@pytest.mark.parametrize("how", cases(MIDWAY))
async def test_after_the_first_content_a_failure_is_said_in_band_and_never_ends_clean(
    tmp_path: Path, how: Misbehaviour
) -> None:
    answer, journal, asked = await ask(tmp_path, CHAT, how, stream=True)
    events = answer.text.strip().split("\n\n")
    last = orjson.loads(events[-1].removeprefix("data: "))
    assert "strong" in answer.text
    assert "[DONE]" not in answer.text
    assert last["choices"][0]["finish_reason"] == "error"
    assert last["error"]["code"] in {"upstream_failed", "upstream_timeout"}
    assert asked == (1, 0)
    outcome = journal.of("outcome")[0]
    assert (outcome["status"], outcome["backend"]) == ("failed", "strong")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_caller_may_refuse_another_model(tmp_path: Path, stream: bool) -> None:
    how = Misbehaviour(fault="status", status=401)
    answer, _, asked = await ask(tmp_path, CHAT, how, stream=stream, allow_fallbacks=False)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_failed")
    assert asked == (1, 0)


async def test_a_request_that_the_model_refuses_is_not_carried_elsewhere(tmp_path: Path) -> None:
    answer, journal, asked = await ask(tmp_path, CHAT, Misbehaviour(fault="status", status=400), stream=False)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "as you wish")
    assert asked == (1, 0)
    assert journal.of("outcome")[0]["status"] == "rejected"


async def test_the_only_backend_is_asked_again(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        strong.misbehave(Misbehaviour(fault="status", status=503), times=2)
        answer = await gateway.chat(model="strong")
    assert answer.status_code == 200
    assert len(strong.requests) == 3


async def test_a_rate_limit_reaches_the_client_with_its_time(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        strong.misbehave(Misbehaviour(fault="status", status=429, retry_after="100"))
        began_s = time.monotonic()
        answer = await gateway.chat(model="strong")
        later = await gateway.chat(model="strong")
        passed_s = time.monotonic() - began_s
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "100")
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"
    assert (later.status_code, later.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert 100 - passed_s <= int(later.headers["retry-after"]) <= 100
    assert len(strong.requests) == 1  # left alone until then


@pytest.mark.parametrize("door", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
async def test_when_nobody_is_well_the_client_hears_when_to_come_back(tmp_path: Path, door: str) -> None:
    body = {"model": "auto", "messages": HI, "max_tokens": 9, "input": "hi"}
    async with pair(tmp_path) as (gateway, strong, cheap):
        for provider, model in ((strong, "strong-raw"), (cheap, "cheap-raw")):
            provider.always_misbehave(model, Misbehaviour(fault="reset"))
        for _ in range(5):
            await gateway.client.post(door, json=body)
        asked = len(strong.requests) + len(cheap.requests)
        resting = await gateway.client.post(door, json=body)
        impossible = await gateway.client.post(door, json={**body, "routing": {"require": {"min_quality": 0.99}}})
    assert resting.status_code == 503
    assert resting.json()["error"]["type"] == "overloaded_error"
    assert 1 <= int(resting.headers["retry-after"]) <= 5  # the breaker's first rest
    assert asked == len(strong.requests) + len(cheap.requests)
    assert impossible.status_code == 422  # whoever is well or not
    assert impossible.json()["error"]["rejections"] == {"min_quality": 2}


async def test_when_everybody_said_429_that_is_what_later_clients_hear(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, cheap):
        strong.misbehave(Misbehaviour(fault="status", status=429, retry_after="100"))
        cheap.misbehave(Misbehaviour(fault="status", status=429, retry_after="80"))
        began_s = time.monotonic()
        answers = [await gateway.chat() for _ in range(3)]
        passed_s = time.monotonic() - began_s
    assert [answer.status_code for answer in answers] == [429] * 3
    assert 80 - passed_s <= int(answers[2].headers["retry-after"]) <= 80
    assert (len(strong.requests), len(cheap.requests)) == (1, 1)


async def test_when_every_place_is_taken_the_next_one_is_told_to_come_back(tmp_path: Path) -> None:
    narrow, go_on = replace(PATIENT, max_concurrency=1), asyncio.Event()
    async with (
        FakeProvider() as provider,
        running(backend("strong", provider.url, limits=narrow), tmp_path=tmp_path) as gateway,
    ):
        provider.misbehave(Misbehaviour(fault="slow_first_token", until=go_on))
        first = asyncio.create_task(gateway.chat())
        await provider.wait_until_asked()
        second = await gateway.chat()
        go_on.set()
        assert (await first).status_code == 200
        third = await gateway.chat()
    assert (second.status_code, second.json()["error"]["code"]) == (503, "overloaded")
    assert int(second.headers["retry-after"]) >= 1
    assert third.status_code == 200


async def test_a_backend_is_asked_no_oftener_than_its_minute_allows(tmp_path: Path) -> None:
    once = Limits(requests_per_minute=1)
    async with (
        FakeProvider() as strong,
        FakeProvider() as cheap,
        running(backend("strong", strong.url, limits=once), backend("cheap", cheap.url), tmp_path=tmp_path) as gateway,
    ):
        began_s = time.monotonic()
        models = [(await gateway.chat(routing={"policy": "best"})).json()["model"] for _ in range(3)]
        named = await gateway.chat(model="strong")
        passed_s = time.monotonic() - began_s
    assert models == ["maker/strong", "maker/cheap", "maker/cheap"]
    assert (named.status_code, named.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert 60 - passed_s <= int(named.headers["retry-after"]) <= 60
    assert (len(strong.requests), len(cheap.requests)) == (1, 2)


async def test_a_failing_backend_is_left_alone_and_probed_once(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        strong.always_misbehave("strong-raw", Misbehaviour(fault="reset"))
        for _ in range(8):
            assert (await gateway.chat(routing={"policy": "best"})).json()["model"] == "maker/cheap"
        asked = len(strong.requests)
        metrics = (await gateway.client.get("/metrics")).text
    assert asked == 5  # then the breaker opened
    assert 'paretogate_breaker_state{backend="strong"} 2.0' in metrics
    assert gateway.journal.of("decision")[-1]["candidates"][0]["eligible"] is False


async def test_official_clients_see_an_interrupted_stream_as_an_error(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        strong.misbehave(Misbehaviour(fault="truncated_stream"))
        async with openai.AsyncOpenAI(base_url=gateway.url + "/v1", api_key="x") as client:
            stream = await client.chat.completions.create(model="strong", messages=HI, stream=True)  # type: ignore[call-overload]
            with pytest.raises(openai.APIError, match="before the answer was finished"):
                async for _ in stream:
                    pass


async def test_a_storm_of_requests_leaves_nothing_behind(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        for fault in ("reset", "status", "malformed_json"):
            strong.misbehave(Misbehaviour(fault=fault), times=5)
        answers = await asyncio.gather(
            *(gateway.chat(routing={"policy": "best"}, stream=i % 2 == 0) for i in range(60))
        )
        metrics = (await gateway.client.get("/metrics")).text
    assert {answer.status_code for answer in answers} == {200}
    assert 'paretogate_backend_inflight{backend="strong"} 0.0' in metrics
    assert 'paretogate_backend_inflight{backend="cheap"} 0.0' in metrics
    assert len(gateway.journal.of("outcome")) == 60


async def test_a_model_that_was_named_and_rests_has_an_outcome_on_record_too(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        strong.always_misbehave("strong-raw", Misbehaviour(fault="reset"))
        answers = [await gateway.chat(model="strong") for _ in range(6)]
    assert answers[-1].status_code == 503
    decided = [record["decision_id"] for record in gateway.journal.of("decision")]
    assert [record["decision_id"] for record in gateway.journal.of("outcome")] == decided
    assert gateway.journal.of("outcome")[-1]["status"] == "rejected"


async def test_a_stream_that_outlasts_the_grace_of_a_gateway_that_stops_is_told_so_in_band(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with FakeProvider() as strong, httpx.AsyncClient(timeout=AT_MOST_S) as client:
        strong.misbehave(Misbehaviour(fault="stall", delay_s=600.0))
        body = {"model": "auto", "messages": HI, "stream": True}
        async with running(backend("strong", strong.url), tmp_path=tmp_path) as gateway:
            request = client.build_request("POST", f"{gateway.url}{CHAT}", json=body)
            answer = await client.send(request, stream=True)
        told = (await answer.aread()).decode()
    event = orjson.loads(told.rstrip().splitlines()[-1].removeprefix("data: "))
    assert (event["error"]["code"], event["choices"][0]["finish_reason"]) == ("overloaded", "error")
    assert not any("Exception in ASGI" in record.message for record in caplog.records)
    assert gateway.journal.of("outcome")[0]["status"] == "cancelled"
