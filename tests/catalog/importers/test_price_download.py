import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from typer.testing import CliRunner

from catalog import Catalog, ImportFailedError
from catalog.cli import commands
from catalog.importers.litellm_prices import PriceMap
from catalog.importers.price_download import download_price_map
from tests.waiting import AT_MOST_S

ENTRY = {"mode": "chat", "litellm_provider": "openai", "input_cost_per_token": 7e-6, "output_cost_per_token": 9e-6}
GOOD = json.dumps({"gpt-4o-mini": ENTRY}).encode()

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

pytestmark = pytest.mark.loopback


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/prices.json", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/prices.json"))


def saying(body: bytes, status: int = 200, **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=body, status=status, headers=headers)

    return answer


async def downloaded(answer: Answer, *, timeout_s: float = AT_MOST_S, most_bytes: int = 10_000) -> PriceMap:
    async with serving(answer) as url, httpx.AsyncClient() as client:
        return await download_price_map(client, url, timeout_s=timeout_s, most_bytes=most_bytes)


async def test_a_price_map_is_read_from_an_address() -> None:
    told = await downloaded(saying(GOOD))
    (offer,) = told.offers["gpt-4o-mini"]
    assert offer.price is not None
    assert offer.price.input_usd_per_mtok == Decimal(7)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (saying(b"gone", 404), "status 404"),
        (saying(b"", 302, Location="/elsewhere.json?token=hush"), r"points to http://.*/elsewhere\.json; give"),
        (saying(b"<html>"), "is not JSON"),
        (saying(b"[1]"), "must be one JSON object"),
        (saying(b'{"message": "rate limited"}'), "names no price"),
        (saying(json.dumps({"gpt-4o-mini": ENTRY, "a": 1, "b": 2}).encode()), "2 bad entries and only 1 prices"),
        (saying(b" " * 10_001), "larger than 10000 bytes"),
        (saying(GOOD + b"\xff"), "is not JSON"),
    ],
)
async def test_what_is_no_price_map_is_refused_with_the_reason(answer: Answer, problem: str) -> None:
    with pytest.raises(ImportFailedError, match=problem) as refused:
        await downloaded(answer)
    assert "hush" not in str(refused.value)


async def test_a_document_that_trickles_is_given_up_in_time() -> None:
    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(20):
            await response.write(b" ")
            await asyncio.sleep(0.05)
        return response

    with pytest.raises(ImportFailedError, match=r"did not answer whole within 0\.2 s.*--timeout"):
        await downloaded(trickle, timeout_s=0.2)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "prices.json", "http://", "https://[half"])
async def test_an_address_that_is_none_is_refused(url: str) -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises(ImportFailedError, match="--url"):
            await download_price_map(client, url)


async def test_an_address_where_nobody_listens_is_told_without_its_secrets(unused_tcp_port: int) -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises(ImportFailedError, match="cannot be reached") as refused:
            await download_price_map(client, f"http://me:hush@127.0.0.1:{unused_tcp_port}/prices.json?key=hush")
    assert "hush" not in str(refused.value)


async def test_a_refresh_from_an_address_renews_prices_and_a_failed_one_leaves_the_file_alone(tmp_path: Path) -> None:
    out = tmp_path / "catalog.json"
    run = CliRunner()
    async with serving(saying(GOOD)) as url:
        done = await asyncio.to_thread(run.invoke, commands, ["refresh", "--url", url, "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"changed": 1, "new": 0, "left_out": []}
    price = Catalog.load(out)["openai/gpt-4o-mini"].price
    assert price is not None
    assert price.output_usd_per_mtok == Decimal(9)
    before = out.read_bytes()
    async with serving(saying(b"oops", 500)) as url:
        failed = await asyncio.to_thread(run.invoke, commands, ["refresh", "--url", url, "--out", str(out)])
    assert isinstance(failed.exception, ImportFailedError)
    assert out.read_bytes() == before
    assert names_in(tmp_path) == [out.name]


def test_a_file_and_an_address_at_once_are_misuse(tmp_path: Path) -> None:
    both = ["refresh", "--prices", "a.json", "--url", "https://a.test/b.json", "--out", str(tmp_path / "c.json")]
    assert CliRunner().invoke(commands, both).exit_code == 2
