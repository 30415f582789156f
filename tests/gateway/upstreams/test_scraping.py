import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from aiohttp import web

from catalog import Backend
from gateway.upstreams.embedded import EmbeddedModel, EmbeddedUnavailableError, find_weights
from gateway.upstreams.health import Health
from gateway.upstreams.scraping import LoadScraper, scraped_servers
from gateway.upstreams.server_load import ServerLoad
from tests.gateway.running import backend
from tests.gateway.small_servers import serving
from tests.waiting import until

pytestmark = pytest.mark.loopback

BUSY = "vllm:num_requests_running 2.0\nvllm:num_requests_waiting 5.0\n"


@asynccontextmanager
async def server(answer: Callable[[web.Request], web.Response]) -> AsyncIterator[str]:
    async def metrics(request: web.Request) -> web.Response:
        return answer(request)

    async with serving(web.get("/metrics", metrics)) as url:
        yield f"{url}/v1"


@asynccontextmanager
async def scraping(health: Health, *backends: Backend) -> AsyncIterator[None]:
    scraper = LoadScraper(
        scraped_servers(backends), health, api_keys={"cheap": "sk-cheap"}, jitter=lambda: 0.5, every_s=0.02
    )
    task = asyncio.create_task(scraper.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def vllm(url: str) -> Backend:
    return replace(backend("cheap", url), kind="vllm")


def test_only_servers_that_tell_their_load_are_asked_and_each_once() -> None:
    base, adapter = vllm("http://127.0.0.1:8000/v1"), replace(vllm("http://127.0.0.1:8000/v1"), id="adapter")
    (found,) = scraped_servers([base, backend("strong", "http://127.0.0.1:9000/v1"), adapter])
    assert (found.url, found.backends) == ("http://127.0.0.1:8000/metrics", (base, adapter))


async def test_a_reading_reaches_the_next_forecast() -> None:
    health = Health(clock=lambda: 0.0)
    async with server(lambda _: web.Response(text=BUSY)) as url, scraping(health, vllm(url)):
        await until(lambda: bool(health.load().waiting))
    assert (health.load().running, health.load().waiting) == ({"cheap": 2.0}, {"cheap": 5.0})


async def test_the_backends_key_opens_its_metrics_too() -> None:
    def guarded(request: web.Request) -> web.Response:
        allowed = request.headers.get("authorization") == "Bearer sk-cheap"
        return web.Response(text=BUSY) if allowed else web.Response(status=401)

    health = Health(clock=lambda: 0.0)
    async with server(guarded) as url, scraping(health, vllm(url)):
        await until(lambda: bool(health.load().waiting))


@pytest.mark.parametrize("answer", [web.Response(status=404), web.Response(text="vllm:num_requests_running{ x\n")])
async def test_a_server_that_cannot_be_read_keeps_nobody_from_being_asked(answer: web.Response) -> None:
    asked = []

    def metrics(request: web.Request) -> web.Response:
        asked.append(request)
        return web.Response(status=answer.status, body=answer.body)

    health = Health(clock=lambda: 0.0)
    async with server(metrics) as url, scraping(health, vllm(url)):
        await until(lambda: len(asked) >= 2)  # it is asked again all the same
        assert health.load().waiting == {}
        assert health.begin(vllm(url))


async def test_nothing_is_unpacked_that_a_server_packed_unasked() -> None:
    asked: list[str] = []
    packed = gzip.compress(BUSY.encode())

    def answer(request: web.Request) -> web.Response:
        asked.append(request.headers["accept-encoding"])
        return web.Response(body=packed, headers={"content-encoding": "gzip"})

    health = Health(clock=asyncio.get_running_loop().time)
    async with server(answer) as url, scraping(health, vllm(url)):
        await until(lambda: len(asked) > 1)
    assert set(asked) == {"identity"}
    assert health.server_loads() == {}


async def test_a_server_that_answers_late_is_not_waited_for() -> None:
    health = Health(clock=lambda: 0.0)
    gone = vllm("http://127.0.0.1:9/v1")
    async with server(lambda _: web.Response(text=BUSY)) as url:
        other = replace(vllm(url), id="other")
        async with scraping(health, gone, other):
            await until(lambda: "other" in health.load().waiting)
    assert health.server_loads() == {"other": ServerLoad(running=2.0, waiting=5.0)}


@pytest.mark.local_model
async def test_a_real_llama_cpp_server_tells_its_load() -> None:
    try:
        weights = find_weights()
    except EmbeddedUnavailableError as exc:
        pytest.skip(str(exc))
    with EmbeddedModel(weights, profile_id="maker/cheap", context_tokens=256, slots=1) as model:
        served = await asyncio.to_thread(model.wait, timeout_s=120)
        health = Health(clock=lambda: 0.0)
        async with scraping(health, served):
            await until(lambda: bool(health.server_loads()))
    assert health.server_loads() == {served.id: ServerLoad(running=0.0, waiting=0.0)}
