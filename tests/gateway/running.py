"""A whole gateway on loopback in front of fake providers, as the tests of doors and faults need it."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import uvicorn

from catalog import Backend, Limits, ModelProfile, Pool, PoolEntry, Price
from gateway.app import Parts, create_app
from gateway.dispatch import Clocks
from gateway.server.connection import ConnectionLimits, GuardedHttp
from gateway.serving import Serving
from gateway.settings import Settings
from gateway.upstreams.fake import FakeProvider
from router import FixedForecasts, Router, forecast_of
from tests.waiting import AT_MOST_S

CHAT = "/v1/chat/completions"
HI = [{"role": "user", "content": "hi"}]

# Two models: a strong one for $10 and $20 per million tokens, and a weaker one for a hundredth of that.
STRONG = ModelProfile(id="maker/strong", name="Strong", context_tokens=10_000, capabilities=frozenset({"streaming"}))
CHEAP = ModelProfile(id="maker/cheap", name="Cheap", context_tokens=10_000, capabilities=frozenset({"streaming"}))
LONELY = ModelProfile(id="other/lonely", name="Lonely", context_tokens=10_000, capabilities=frozenset({"streaming"}))
QUALITY = {"maker/strong": 0.9, "maker/cheap": 0.8, "other/lonely": 0.5}
# What a healthy provider gets, however busy the machine is; a test about limits brings its own.
PATIENT = Limits(timeout_s=120.0, first_token_timeout_s=120.0, stall_timeout_s=120.0)
# Noon of today, and when that was: no day and no month ends amid a test.
_NOON_S, _NOON_AT_S = (time.time() // 86_400 + 0.5) * 86_400, time.monotonic()
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # to read those of the system takes 20 ms a client


def since_noon_s() -> float:
    """Seconds since the epoch, as if the tests had begun at noon (UTC)."""
    return _NOON_S + time.monotonic() - _NOON_AT_S


@dataclass
class ListJournal:
    """Keeps records in memory."""

    records: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    written: int = 0
    lost: int = 0
    pending_bytes: int = 0
    limit_bytes: int = 1 << 20
    store_failures: int = 0
    stream_records: int | None = None
    stream_limit: int | None = None

    @property
    def health(self) -> "ListJournal":
        return self

    def write(self, kind: str, record: Mapping[str, Any]) -> bool:
        self.records.append((kind, record))
        self.written += 1
        return True

    async def close(self) -> None:
        return None

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        return [record for k, record in self.records if k == kind]


@dataclass
class RunningGateway:
    client: httpx.AsyncClient
    journal: ListJournal
    url: str
    app: Any

    async def chat(self, **body: Any) -> httpx.Response:
        return await self.client.post(CHAT, json={"model": "auto", "messages": HI, **body})


def backend(name: str, url: str, *, limits: Limits | None = None, **more: Any) -> Backend:
    usd = {"strong": ("10", "20"), "cheap": ("0.1", "0.2")}[name]
    return Backend(
        id=name,
        profile_id=f"maker/{name}",
        kind="openai",
        provider="maker",
        model_name=f"{name}-raw",
        base_url=url,
        price=Price(
            input_usd_per_mtok=Decimal(usd[0]),
            output_usd_per_mtok=Decimal(usd[1]),
            cached_input_usd_per_mtok=Decimal(usd[0]) / 2,
        ),
        limits=limits or PATIENT,
        **more,
    )


def serve_fixed(backends: tuple[Backend, ...], *, also: tuple[str, ...] = ()) -> Serving:
    """A factory whose forecasts are the constants above; cost is a hundredth of the output rate."""
    profiles = {p.id: p for p in (STRONG, CHEAP, LONELY)}
    entries = [PoolEntry(profile=profiles[b.profile_id], backend=b) for b in backends]
    if also:
        served = {entry.profile.id for entry in entries}
        entries += [PoolEntry(profile=p) for p in profiles.values() if p.id not in served]
    pool = Pool(entries)
    forecast = forecast_of(
        pool,
        quality=[QUALITY[name] for name in pool.ids],
        cost_usd=[float(e.price.output_usd_per_mtok) / 100 if e.price else 0.01 for e in entries],
        latency_s=1.0,
        ttft_s=0.5,
        output_tokens=100.0,
    )
    source = FixedForecasts(pool=pool, fixed=forecast)
    router = Router(source, explore=0.0)
    return Serving.of(
        source=source,
        router=router,
        policies=frozenset({"best", "balanced", "cheap"}),
        versions={"catalog": "test", "predictor": source.version, "policy": "test"},
    )


@asynccontextmanager
async def running(
    *backends: Backend,
    tmp_path: Path,
    settings: Mapping[str, Any] | None = None,
    make_serving: Callable[..., Serving] = serve_fixed,
    journal: Any = None,
    api_keys: Mapping[str, str] | None = None,
    limits: ConnectionLimits | None = None,
    tracing: Any = None,
    promoted: Any = None,
    environ: Mapping[str, str] | None = None,
    own_process: bool = False,
) -> AsyncIterator[RunningGateway]:
    kept = journal or ListJournal()
    app = create_app(
        Parts(
            settings=Settings(**{"state": {"dir": tmp_path}, **(settings or {})}),
            backends=backends,
            make_serving=make_serving,
            journal=kept,
            clocks=Clocks(wall=since_noon_s, monotonic=time.perf_counter),
            rng=np.random.default_rng(0),
            api_keys=api_keys or {},
            tracing=tracing,
            promoted=promoted,
            environ=environ or {},
            own_process=own_process,
        )
    )
    async with (
        listening(app, limits) as url,
        httpx.AsyncClient(base_url=url, timeout=120, verify=_NO_CERTIFICATES) as client,
    ):
        yield RunningGateway(client=client, journal=kept, url=url, app=app)


@asynccontextmanager
async def listening(app: Any, limits: ConnectionLimits | None = None) -> AsyncIterator[str]:
    """Serve an ASGI application on a free loopback port, in this event loop, as `paretogate serve` does."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=0,
            log_level="error",
            lifespan="on",
            http=partial(GuardedHttp, limits=limits),  # type: ignore[arg-type] # uvicorn only calls it
            ws="none",
            proxy_headers=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=int(AT_MOST_S),  # no connection is cut while a busy machine lets its client wait
        )
    )
    task = asyncio.create_task(server.serve())
    while not server.started:
        if task.done():
            await task
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def pair(tmp_path: Path, **more: Any) -> AsyncIterator[tuple[RunningGateway, FakeProvider, FakeProvider]]:
    """A gateway before a strong and a cheap model, each at a provider of its own."""
    async with (
        FakeProvider(words=("strong", " words")) as strong,
        FakeProvider(words=("cheap", " words", " here")) as cheap,
        running(backend("strong", strong.url), backend("cheap", cheap.url), tmp_path=tmp_path, **more) as gateway,
    ):
        yield gateway, strong, cheap
