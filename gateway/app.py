"""Where the parts are joined: one ASGI application out of settings, candidates, a journal and upstreams.

Hot doors are plain ASGI, in front; a framework behind them serves everything else and describes all of it.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from catalog import Backend, Catalog
from predictors import BadArtefactError

from .background import in_background
from .canaries import read_fingerprints
from .dispatch import Dispatcher
from .governance.exposure import is_loopback
from .governance.governor import Governor
from .governance.opening import open_governor
from .journal.opening import open_journal
from .keys import KeyFile, KeyRing
from .parts import Binder, Parts
from .promotion import take_up_at_start
from .rehearsal import Rehearsal, Rehearsals
from .routes.cors import Cors
from .routes.dashboard import dashboard_routes
from .routes.door import Admission
from .routes.doors import admitted, hot_doors
from .routes.embeddings import Embedders, split_embedders
from .routes.feedback import feedback_routes
from .routes.framework import framework
from .routes.front import Asgi, Front
from .routes.models import models_routes
from .routes.operations import operations_routes
from .routes.stored_responses import stored_responses_routes
from .routes.tools import tools_routes
from .server.idle_polling import IdlePolling
from .server.memory import settle
from .serving import Serving
from .settings import ServerSettings, Settings
from .settings.packages import need
from .stored import open_history
from .telemetry import Telemetry
from .tools import RegistryStore, ToolDesk
from .tools.endpoint import McpEndpoint
from .tracing import open_tracing
from .upstreams.health import Health
from .upstreams.opening import open_upstreams
from .upstreams.protocol import Upstream
from .upstreams.proxies import Proxy

__all__ = ["Parts", "build", "create_app"]

_MCP = "/mcp"


def build(settings: Settings, *, catalog: Catalog, backends: tuple[Backend, ...], environ: Mapping[str, str]) -> Asgi:
    """The gateway as it is served: the shipped or configured predictor, the configured journal, real upstreams.

    Args:
        settings: what the operator configured.
        catalog: as `gateway.startup.open_catalog` and `find_backends` give it.
        backends: as `find_backends` found them.
        environ: usually `os.environ`; read for the keys that backends and MCP servers name, and for the way to them.
    """
    if settings.journal.stream_url is not None:
        need("redis", key="journal.url")
    binder = _binder(settings, catalog)
    return create_app(
        Parts(
            settings=settings,
            backends=backends,
            make_serving=binder,
            promoted=binder,
            journal=open_journal(settings),
            environ=environ,
            api_keys={b.id: environ[b.api_key_env] for b in backends if b.api_key_env and environ.get(b.api_key_env)},
            proxy=Proxy.of(environ),
            tracing=open_tracing(settings.telemetry, environ),
            catalog=catalog,
            own_process=True,
            metrics_dir=Path(shared) if (shared := environ.get("PROMETHEUS_MULTIPROC_DIR")) else None,
        )
    )


def _binder(settings: Settings, catalog: Catalog) -> Binder:
    """Where what was promoted cannot be used, as after an upgrade, other replicas may have something else in force."""
    try:
        return Binder(settings, catalog, waits=True)
    except BadArtefactError:
        if not take_up_at_start(settings):
            raise
        return Binder(settings, catalog, waits=True)


def create_app(parts: Parts) -> Asgi:
    """Join the parts."""
    settings, clocks = parts.settings, parts.clocks
    backends, serving, embedding = split_embedders(parts.make_serving, parts.backends)
    parts = replace(parts, backends=backends)
    fingerprints = read_fingerprints(settings.canaries, workers=settings.server.workers)
    telemetry = Telemetry(shared=parts.metrics_dir)
    dispatcher = _dispatcher(parts, serving, telemetry)
    keys = KeyRing(KeyFile(settings.keys_path), clock=clocks.monotonic, wall=clocks.wall)
    governor = open_governor(settings, keys=keys, clocks=clocks, telemetry=telemetry)
    desk = ToolDesk(
        settings.tools,
        store=RegistryStore(settings.tools_dir / "registries"),
        telemetry=telemetry,
        clocks=clocks,
        indexes=settings.tools_dir / "indexes",
    )
    endpoint = _mcp_endpoint(desk, governor, settings.server, parts.environ)
    history = open_history(settings, wall=clocks.wall, clock=clocks.monotonic)
    stir, rest = _keep_warm(parts, dispatcher, keys)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(parts.journal.close)
            stack.push_async_callback(governor.close)
            stack.push_async_callback(history.close)
            if parts.tracing is not None:
                stack.push_async_callback(asyncio.to_thread, parts.tracing.close)
            if endpoint is not None:
                await stack.enter_async_context(endpoint.running())
            dispatcher.upstreams = _upstreams(parts, stack)
            background = in_background(parts, dispatcher, governor=governor, desk=desk, fingerprints=fingerprints)
            await stack.enter_async_context(background)
            stack.callback(rest)
            if parts.own_process:
                settle()
            yield

    behind = framework(lifespan)
    for routes in (
        dashboard_routes(lambda: dispatcher.serving, catalog=parts.catalog),
        models_routes(lambda: dispatcher.serving, embedding=embedding),
        feedback_routes(parts.journal, telemetry, clocks, governor=governor),
        stored_responses_routes(history),
        operations_routes(
            serving=lambda: dispatcher.serving,
            journal=parts.journal,
            telemetry=telemetry,
            health=dispatcher.health,
            metrics=settings.telemetry.metrics,
        ),
        tools_routes(desk, governor, clocks),
    ):
        behind.include_router(routes)
    admission = Admission(telemetry, max_concurrency=settings.server.max_concurrency, stir=stir)
    doors = hot_doors(
        dispatcher,
        settings,
        make_serving=parts.make_serving,
        embedders=Embedders(embedding),
        admission=admission,
        governor=governor,
        desk=desk,
        history=history,
    )
    return Front(
        doors,
        _told_by_proxies(behind),
        governor=governor,
        max_body_bytes=settings.server.max_body_bytes,
        mounted={} if endpoint is None else {_MCP: admitted(endpoint, admission)},
        check_pages=not settings.auth.allow_open and is_loopback(settings.server.host) and not governor.asks_for_keys,
        cors=Cors(settings.server.cors_origins),
    )


def _dispatcher(parts: Parts, serving: Serving, telemetry: Telemetry) -> Dispatcher:
    """Without upstreams, which are opened when serving begins."""
    settings, clocks = parts.settings, parts.clocks
    return Dispatcher(
        serving=serving,
        upstreams={},
        journal=parts.journal,
        telemetry=telemetry,
        health=Health(clock=clocks.monotonic, stale_after_s=settings.scraping.stale_after_s),
        clocks=clocks,
        rng=parts.rng,
        request_timeout_s=settings.server.request_timeout_s,
        prompt_flags=settings.privacy.prompt_flags,
        tracing=parts.tracing,
    )


def _told_by_proxies(framework: Asgi) -> Asgi:
    """Trusted proxies say which scheme and client it was: redirects want to know, no hot door does."""
    trusted = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1")  # as the server itself would have it
    minding: Any = ProxyHeadersMiddleware(cast("Any", framework), trusted_hosts=trusted)
    return cast("Asgi", minding)


def _keep_warm(parts: Parts, dispatcher: Dispatcher, keys: KeyRing) -> tuple[Callable[[], None], Callable[[], None]]:
    """What to call whenever a request comes or goes, so that the next finds core and caches awake, and at the end."""
    server = parts.settings.server
    polling = IdlePolling(for_s=server.idle_poll_ms / 1e3)
    if not server.rehearse_ms:
        return polling.stir, lambda: None
    rehearsal = Rehearsal(lambda: dispatcher.serving, make_serving=parts.make_serving, keys=keys, clocks=parts.clocks)
    rehearsals = Rehearsals(rehearsal, every_s=server.rehearse_ms / 1e3)

    def stir() -> None:
        polling.stir()
        rehearsals.stir()

    return stir, rehearsals.end


def _mcp_endpoint(
    desk: ToolDesk, governor: Governor, server: ServerSettings, environ: Mapping[str, str]
) -> McpEndpoint | None:
    if not McpEndpoint.is_available():
        return None
    return McpEndpoint(desk, governor, host=server.host, max_body_bytes=server.max_body_bytes, environ=environ)


def _upstreams(parts: Parts, stack: AsyncExitStack) -> Mapping[str, Upstream]:
    if parts.upstreams is not None:
        return parts.upstreams
    return open_upstreams(stack, api_keys=parts.api_keys, proxy=parts.proxy, environ=parts.environ)
