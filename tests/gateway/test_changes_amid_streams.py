"""What changes while an answer streams: the stream ends as it began and is billed once, the next request knows."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from catalog import Backend, Catalog, Price
from gateway.keys import KeyFile, issue
from gateway.parts import Binder
from gateway.serving import Serving
from gateway.settings import Settings
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from predictors.cli import train
from predictors.versions import PredictorVersions
from tests.gateway.running import CHAT, HI, RunningGateway, backend, running, serve_fixed
from tests.waiting import AT_MOST_S

pytestmark = pytest.mark.loopback

SOON: dict[str, Any] = {"learning": {"watch_s": 0.02, "refine_every_s": 0}}
COUNTED = {"prompt_tokens": 10, "completion_tokens": 6, "total_tokens": 16}
STRONG_USD, CHEAP_USD = 0.00022, 0.0000022  # 10 x $10/M + 6 x $20/M, and a hundredth of that
SAID = "Hello from a fake model."
FURTHER = [*HI, {"role": "assistant", "content": SAID}, {"role": "user", "content": "go on"}]


async def begun(
    gateway: RunningGateway, provider: FakeProvider, *, until: asyncio.Event, headers: Mapping[str, str] | None = None
) -> "asyncio.Task[bytes]":
    """A stream that has begun and is silent after its first word, until it may go on."""
    provider.usage = COUNTED
    provider.misbehave(Misbehaviour(fault="stall", until=until))
    has_begun = asyncio.Event()

    async def read() -> bytes:
        got = b""
        body = {"model": "auto", "messages": HI, "stream": True, "routing": {"policy": "best"}}
        async with gateway.client.stream("POST", CHAT, json=body, headers=headers) as answer:
            assert answer.status_code == 200
            async for data in answer.aiter_bytes():
                got += data
                has_begun.set()
        return got

    stream = asyncio.create_task(read())
    await asyncio.wait_for(has_begun.wait(), AT_MOST_S)
    return stream


def words_of(stream: bytes) -> str:
    *events, last = [event.removeprefix(b"data: ") for event in stream.split(b"\n\n") if event]
    assert last == b"[DONE]"
    chunks = [orjson.loads(event) for event in events if not event.startswith(b":")]
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


async def predictor(gateway: RunningGateway) -> str:
    told = await gateway.client.post(f"/routing{CHAT}", json={"model": "auto", "messages": HI})
    return str(told.json()["versions"]["predictor"])


async def changes(gateway: RunningGateway, *, since: str) -> str:
    async with asyncio.timeout(AT_MOST_S):
        while (now := await predictor(gateway)) == since:  # noqa: ASYNC110 - seen from outside only
            await asyncio.sleep(0.02)
    return now


def told_of(gateway: RunningGateway) -> list[tuple[str, str, str, float]]:
    """Of each request, in the order they came: predictor, backend, how it ended, what it cost; each ended once."""
    decisions, outcomes = gateway.journal.of("decision"), gateway.journal.of("outcome")
    ended = {outcome["decision_id"]: outcome for outcome in outcomes}
    assert len(ended) == len(outcomes) == len(decisions)
    return [
        (d["versions"]["predictor"], (o := ended[d["decision_id"]])["backend"], o["status"], o["cost_usd"])
        for d in decisions
    ]


@dataclass
class Turned:
    """Serves other backends once it is told to; a `gateway.parts.Binder`, as far as a gateway sees it."""

    then: tuple[Backend, ...]
    is_due: bool = False
    is_waiting: bool = False
    has_turned: bool = field(default=False, init=False)

    def is_behind(self) -> bool:
        return self.is_due and not self.has_turned

    def renew(self) -> None:
        self.has_turned = True

    def __call__(self, backends: tuple[Backend, ...], *, also: tuple[str, ...] = ()) -> Serving:
        if not self.has_turned:
            return serve_fixed(backends, also=also)
        serving = serve_fixed(self.then, also=also)
        return replace(serving, versions={**serving.versions, "predictor": "second"})


@pytest.mark.parametrize(
    ("then", "next_backend", "next_usd"), [("gone", "cheap", CHEAP_USD), ("dearer", "strong", 2 * STRONG_USD)]
)
async def test_a_model_that_leaves_or_gets_dearer_ends_its_stream_at_the_old_price(
    tmp_path: Path, then: str, next_backend: str, next_usd: float
) -> None:
    twice = Price(input_usd_per_mtok=Decimal(20), output_usd_per_mtok=Decimal(40))
    async with FakeProvider() as provider:
        strong, cheap = (backend(name, provider.url) for name in ("strong", "cheap"))
        turned = Turned({"gone": (cheap,), "dearer": (replace(strong, price=twice), cheap)}[then])
        async with running(
            strong, cheap, tmp_path=tmp_path, settings=SOON, make_serving=turned, promoted=turned
        ) as gateway:
            go_on = asyncio.Event()
            stream, first = await begun(gateway, provider, until=go_on), await predictor(gateway)
            turned.is_due = True
            assert await changes(gateway, since=first) == "second"
            await gateway.chat(routing={"policy": "best"})
            assert not stream.done()
            go_on.set()
            assert words_of(await stream) == SAID
            await gateway.chat(messages=FURTHER, routing={"policy": "best"})  # its conversation goes on
            metrics = (await gateway.client.get("/metrics")).text.splitlines()
    at_work = [line for line in metrics if line.startswith("paretogate_backend_inflight{")]
    assert {line.split()[-1] for line in at_work} == {"0.0"}  # nobody holds a place at a backend that has left
    told = told_of(gateway)
    assert [facts for *facts, _ in told] == [[first, "strong", "ok"], *[["second", next_backend, "ok"]] * 2]
    assert [usd for *_, usd in told] == pytest.approx([STRONG_USD, next_usd, next_usd])


async def test_a_promoted_predictor_decides_about_the_next_request_alone(tmp_path: Path) -> None:
    models = ("openai/gpt-4o-mini", "openai/gpt-4o")
    rows = [
        {"prompt": f"What is {i} + {i}?", "model": m, "score": float(m == models[0])} for i in range(60) for m in models
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "mine.csv")
    command = typer.Typer()
    command.command()(train)
    trained = CliRunner().invoke(command, [str(tmp_path / "mine.csv"), "--out", str(tmp_path / "mine")])
    assert trained.exit_code == 0, trained.output
    settings = Settings(**{"state": {"dir": tmp_path}, **SOON})
    binder = Binder(settings, Catalog.load())
    async with FakeProvider() as provider:
        backends = [
            replace(backend("cheap", provider.url), id=model, profile_id=model, model_name=model) for model in models
        ]
        async with running(
            *backends, tmp_path=tmp_path, settings=SOON, make_serving=binder, promoted=binder
        ) as gateway:
            go_on = asyncio.Event()
            stream, first = await begun(gateway, provider, until=go_on), await predictor(gateway)
            PredictorVersions(settings.predictors_dir).promote(tmp_path / "mine", {})
            second = await changes(gateway, since=first)
            await gateway.chat(routing={"policy": "best"})
            assert not stream.done()
            go_on.set()
            assert words_of(await stream) == SAID
    told = told_of(gateway)
    assert [predictor for predictor, *_ in told] == [first, second]
    assert [end for *_, end, _ in told] == ["ok", "ok"]
    assert [usd for *_, usd in told] == pytest.approx([CHEAP_USD] * 2)


async def test_lowered_limits_bind_the_next_request_and_a_revoked_key_ends_no_stream(tmp_path: Path) -> None:
    key, token = issue(random_bytes=os.urandom, now_s=0.0, tenant="acme", max_concurrency=2, budget_usd_per_day=1.0)
    file, headers = KeyFile(tmp_path / "keys.json"), {"authorization": f"Bearer {token}"}
    file.change(lambda _: (key,))

    async def asked() -> tuple[int, str | None]:
        answer = await gateway.client.post(CHAT, json={"model": "auto", "messages": HI}, headers=headers)
        return answer.status_code, answer.json().get("error", {}).get("code")

    async def changed(**what: Any) -> None:
        file.change(lambda _: (replace(key, **what),))
        await asyncio.sleep(1.1)  # a running gateway looks once a second

    async with (
        FakeProvider() as provider,
        running(backend("cheap", provider.url), tmp_path=tmp_path) as gateway,
    ):
        go_on = asyncio.Event()
        stream = await begun(gateway, provider, until=go_on, headers=headers)
        await changed(max_concurrency=1, budget_usd_per_day=0.002003)
        assert await asked() == (429, "rate_limit_exceeded")
        assert not stream.done()
        go_on.set()
        assert words_of(await stream) == SAID
        # $0.0000022 were spent and the forecast says $0.002: the budget has room for it unless it was billed twice
        assert await asked() == (200, None)
        assert await asked() == (402, "budget_exceeded")  # it is twice $0.0000022 now

        await changed()
        go_on = asyncio.Event()
        stream = await begun(gateway, provider, until=go_on, headers=headers)
        await changed(revoked_s=1.0)
        assert await asked() == (401, "invalid_api_key")
        assert not stream.done()
        go_on.set()
        assert words_of(await stream) == SAID
    assert [usd for *_, usd in told_of(gateway)] == pytest.approx([CHEAP_USD] * 3)
