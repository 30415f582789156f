"""Deadlines that clients state: they reach backends, they are nobody else's fault, and who is too slow is not asked."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import openai
import pytest

from catalog import Backend
from gateway.dispatch.client_timeouts import NO_TIMEOUTS, ClientTimeouts, read_client_timeouts
from gateway.errors import InvalidRequestError
from gateway.serving import Serving
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from router import FixedForecasts, Router
from tests.gateway.running import CHAT, HI, RunningGateway, backend, pair, running, serve_fixed

SLOW = Misbehaviour(fault="slow_first_token", delay_s=600.0)
LATENCY_S = {"maker/strong": 5.0, "maker/cheap": 1.0}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, NO_TIMEOUTS),
        ({"x-request-timeout": "30"}, ClientTimeouts(total_s=29.9)),  # a tenth of a second is ours, to say so
        ({"x-request-timeout": "1.5 s"}, ClientTimeouts(total_s=1.425)),  # or a twentieth of what is short
        ({"x-request-timeout": "200ms", "grpc-timeout": "1M"}, ClientTimeouts(total_s=0.19)),
        ({"grpc-timeout": "100m"}, ClientTimeouts(total_s=0.095)),
        ({"x-stainless-read-timeout": "600.0"}, ClientTimeouts(silence_s=599.9)),
        ({"x-stainless-timeout": "10"}, ClientTimeouts(silence_s=10.9)),  # of 10,999 ms that client says 10
        ({"x-stainless-read-timeout": "5", "x-stainless-timeout": "600"}, ClientTimeouts(silence_s=4.9)),
        ({"x-stainless-read-timeout": "None", "x-stainless-timeout": "NOT_GIVEN"}, NO_TIMEOUTS),
    ],
)
def test_what_clients_say_of_their_timeouts(headers: dict[str, str], expected: ClientTimeouts) -> None:
    assert read_client_timeouts(headers) == expected


@pytest.mark.parametrize(
    ("name", "told"),
    [("x-request-timeout", t) for t in ("soon", "0", "-1", "1e9", "5h", "", "nan")]
    + [("grpc-timeout", t) for t in ("1", "0S", "123456789S", "1x")],
)
def test_a_deadline_that_is_none_is_refused_by_name(name: str, told: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"^{name}: must be a time above zero, such as") as refusal:
        read_client_timeouts({name: told})
    assert refusal.value.param == name


def serve_by_speed(backends: tuple[Backend, ...], *, also: tuple[str, ...] = ()) -> Serving:
    """The strong model takes five seconds, the cheap one a single one."""
    served = serve_fixed(backends, also=also)
    forecast = served.source.forecast(None)  # type: ignore[arg-type] # it is the same for all
    seconds = forecast.latency_s * 0 + [LATENCY_S[name] for name in served.pool.ids]
    source = FixedForecasts(pool=served.pool, fixed=replace(forecast, latency_s=seconds, ttft_s=seconds / 2))
    router = Router(source, explore=0.0)
    return Serving.of(source=source, router=router, policies=served.policies, versions=served.versions)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    async with pair(tmp_path, make_serving=serve_by_speed) as (found, _, __):
        yield found


async def who_is_chosen(gateway: RunningGateway, headers: dict[str, str], **body: object) -> str:
    """Whether it answers in time or, on a busy machine, does not."""
    await gateway.client.post(CHAT, json={"model": "auto:best", "messages": HI, **body}, headers=headers)
    (decision,) = gateway.journal.of("decision")
    return f"maker/{decision['backend']}"


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("headers", "body", "model"),
    [
        ({}, {}, "maker/strong"),
        ({"x-request-timeout": "6"}, {}, "maker/strong"),
        ({"x-request-timeout": "2"}, {}, "maker/cheap"),
        ({"x-stainless-read-timeout": "2"}, {}, "maker/cheap"),
        ({"x-stainless-read-timeout": "3"}, {"stream": True}, "maker/strong"),  # its first byte is due after 2.5 s
        ({"x-stainless-read-timeout": "2"}, {"stream": True}, "maker/cheap"),
        ({"x-request-timeout": "3"}, {"stream": True}, "maker/cheap"),  # the whole stream within three
        ({"x-request-timeout": "500ms"}, {}, "maker/strong"),  # nobody is expected to make it: as without
        ({"x-request-timeout": "2"}, {"model": "maker/strong"}, "maker/strong"),  # whoever is named is asked
    ],
)
async def test_who_is_expected_to_be_too_late_is_not_chosen(
    gateway: RunningGateway, headers: dict[str, str], body: dict[str, object], model: str
) -> None:
    assert await who_is_chosen(gateway, headers, **body) == model


@pytest.mark.loopback
async def test_a_decision_alone_tells_of_the_deadline_as_of_a_constraint(gateway: RunningGateway) -> None:
    body = {"model": "auto:best", "messages": HI}
    told = (await gateway.client.post(f"/routing{CHAT}", json=body, headers={"x-request-timeout": "2"})).json()
    rejected = next(c for c in told["candidates"] if c["id"] == "maker/strong")["rejected_by"]
    assert rejected == [{"constraint": "max_latency_s", "limit": 1.9, "value": 5.0}]


@pytest.mark.loopback
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("header", ["x-request-timeout", "x-stainless-read-timeout"])
async def test_a_deadline_ends_the_backends_work_and_is_not_held_against_it(
    tmp_path: Path, header: str, *, stream: bool
) -> None:
    async with (
        FakeProvider() as provider,
        running(backend("strong", provider.url), tmp_path=tmp_path) as gateway,
    ):
        provider.misbehave(SLOW, times=8)
        body = {"model": "auto", "messages": HI, "stream": stream}
        hurried = (gateway.client.post(CHAT, json=body, headers={header: "2"}) for _ in range(8))
        late, *_ = await asyncio.gather(*hurried)  # five failures of its own would open its breaker
        well = await gateway.chat()
    assert (late.status_code, late.json()["error"]["code"]) == (504, "upstream_timeout")
    assert "ask with a later deadline" in late.json()["error"]["message"]
    assert provider.cancelled == 8
    assert well.status_code == 200


@pytest.mark.loopback
@pytest.mark.parametrize("stream", [False, True])
async def test_when_the_time_is_over_nobody_else_is_bothered(tmp_path: Path, *, stream: bool) -> None:
    async with (
        FakeProvider() as strong,
        FakeProvider() as cheap,
        running(
            backend("strong", strong.url),
            backend("cheap", cheap.url),
            tmp_path=tmp_path,
        ) as gateway,
    ):
        for provider in (strong, cheap):
            provider.misbehave(SLOW, times=9)
        body = {"model": "auto", "messages": HI, "stream": stream}
        late = await gateway.client.post(CHAT, json=body, headers={"x-stainless-read-timeout": "2"})
    assert (late.status_code, late.json()["error"]["code"]) == (504, "upstream_timeout")
    assert len(strong.requests) + len(cheap.requests) == 1


@pytest.mark.loopback
async def test_a_stream_that_is_silent_for_longer_than_its_client_waits_ends_with_an_error(tmp_path: Path) -> None:
    async with (
        FakeProvider() as provider,
        running(backend("strong", provider.url), tmp_path=tmp_path) as gateway,
    ):
        provider.misbehave(Misbehaviour(fault="stall", delay_s=600.0))
        body = {"model": "auto", "messages": HI, "stream": True}
        answer = await gateway.client.post(CHAT, json=body, headers={"x-stainless-read-timeout": "2"})
    assert answer.status_code == 200
    assert '"upstream_timeout"' in answer.text
    assert "[DONE]" not in answer.text


@pytest.mark.loopback
async def test_openais_client_hears_why_before_it_gives_up_by_itself(tmp_path: Path) -> None:
    async with (
        FakeProvider() as provider,
        running(backend("strong", provider.url), tmp_path=tmp_path) as gateway,
        openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0, timeout=4.0) as client,
    ):
        provider.misbehave(SLOW)
        with pytest.raises(openai.InternalServerError) as late:
            await client.chat.completions.create(model="auto", messages=HI)  # type: ignore[arg-type] # as dicts
    assert (late.value.status_code, late.value.code) == (504, "upstream_timeout")


@pytest.mark.loopback
async def test_a_malformed_deadline_is_a_400_that_names_it(gateway: RunningGateway) -> None:
    answer: httpx.Response = await gateway.client.post(
        CHAT, json={"model": "auto", "messages": HI}, headers={"x-request-timeout": "soon"}
    )
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "x-request-timeout")
