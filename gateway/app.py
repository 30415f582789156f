"""Where the parts are joined: one ASGI application out of settings, candidates, a journal and upstreams.

Hot doors are plain ASGI, in front; a framework behind them serves everything else and describes all of it.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from catalog import Backend, Catalog, ParetoGateError
from catalog.capability.canary_file import Fingerprint
from predictors import Forecaster
from router import PRESETS, Router

from .canaries import CanaryBudget, CanaryWatch, read_fingerprints, watched_backends
from .dispatch import Clocks, Dispatcher
from .errors import ErrorReply, anthropic_error, openai_error, reply_to
from .exposure import check_exposure, keys_required
from .governor import Governor
from .journal import Journal, SqliteJournal
from .keys import KeyFile, KeyRing
from .memory import settle
from .policies import configured_policies
from .refinement import MeasuredFileError, apply_measured, read_measured
from .routes.chat import ChatDialect
from .routes.completions import CompletionsDialect
from .routes.dashboard import dashboard_routes
from .routes.door import Admission, AnswerDoor, DecisionDoor
from .routes.embeddings import Embedders, EmbeddingsDialect, split_embedders
from .routes.feedback import feedback_routes
from .routes.messages import CountTokensDoor, MessagesDialect
from .routes.models import models_routes
from .routes.openapi import hot_paths, with_failures
from .routes.operations import operations_routes
from .routes.pools import PoolShelf
from .routes.responses import ResponsesDialect
from .routes.stored_responses import stored_responses_routes
from .routes.tools import tools_routes
from .serving import Serving, ServingFactory
from .settings import InvalidSettingsError, ServerSettings, Settings
from .state import GuardedState, MemoryState, RedisState, StateStore
from .stored import ResponseHistory, open_history
from .telemetry import Telemetry
from .tools import RegistryStore, ToolDesk
from .tools.endpoint import McpEndpoint
from .tools.learning import read_learned
from .tracing import Tracing, open_tracing
from .upstreams.health import Health
from .upstreams.protocol import Upstream
from .wire.asgi import ClientGoneError, Headers, Receive, Scope, Send, read_body, read_headers, replaying, send_json
from .wire.body import read_json
from .wire.dialect import Dialect

__all__ = ["Parts", "build", "create_app", "serving_factory"]

log = structlog.get_logger(__name__)

_METHOD_NOT_ALLOWED = ErrorReply(
    status=405, kind="invalid_request_error", code="method_not_allowed", message="this address takes POST"
)
_LEASE_SLACK_S = 60.0  # a place is given back by itself, should a replica die, so long after its longest request
_INSTALLS = {
    "state.url": "pip install 'redis[hiredis]'",
    "privacy.mode": "pip install phonenumbers python-stdnum",
}
_FOR_ADMINS = ("/metrics", "/dashboard/data")  # the pages themselves hold nothing
_GUARDED = ("/v1/", *_FOR_ADMINS)
_ANTHROPIC = "/v1/messages"
_MCP = "/mcp"
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SYSTEM_CLOCKS = Clocks(wall=time.time, monotonic=time.perf_counter)
Asgi = Callable[[Scope, Receive, Send], Any]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Everything a gateway consists of."""

    settings: Settings
    backends: tuple[Backend, ...]
    make_serving: ServingFactory
    journal: Journal
    api_keys: Mapping[str, str] = field(default_factory=dict)  # by backend id
    clocks: Clocks = _SYSTEM_CLOCKS
    rng: np.random.Generator = field(default_factory=np.random.default_rng)
    upstreams: Mapping[str, Upstream] | None = None  # by kind; the real ones where left out
    tracing: Tracing | None = None
    metrics_dir: Path | None = None  # where several workers count together
    catalog: Catalog | None = None  # what the dashboard shows; the served models where left out


def build(settings: Settings, *, catalog: Catalog, backends: tuple[Backend, ...], environ: Mapping[str, str]) -> Asgi:
    """The gateway as it is served: the shipped or configured predictor, the journal on disk, real upstreams.

    Args:
        settings: what the operator configured.
        catalog: as `gateway.startup.open_catalog` and `find_backends` give it.
        backends: as `find_backends` found them.
        environ: usually `os.environ`; read for the keys that backends name.
    """
    journal = settings.journal
    return create_app(
        Parts(
            settings=settings,
            backends=backends,
            make_serving=serving_factory(settings, catalog),
            journal=SqliteJournal(
                settings.journal_path,
                prompts=journal.prompts,
                refuse_when_full=journal.when_full == "refuse",
                spool_max_bytes=journal.spool_max_mb << 20,
                keep_days=journal.keep_days,
            ),
            api_keys={b.id: environ[b.api_key_env] for b in backends if b.api_key_env and environ.get(b.api_key_env)},
            tracing=open_tracing(settings.telemetry, environ),
            catalog=catalog,
            metrics_dir=Path(shared) if (shared := environ.get("PROMETHEUS_MULTIPROC_DIR")) else None,
        )
    )


def serving_factory(settings: Settings, catalog: Catalog) -> ServingFactory:
    """Binds one catalog and one predictor to whatever backends there are."""
    key = settings.predictor.encoder_key
    forecaster = Forecaster.load(settings.predictor.path, encoder_key=key.get_secret_value() if key else None)
    policies = configured_policies(settings.policies)

    def make(backends: tuple[Backend, ...], *, also: tuple[str, ...] = ()) -> Serving:
        source = forecaster.bind(catalog.pool(backends, also=also))
        router = Router(source, policies=policies, explore=settings.learning.explore)
        return Serving.of(
            source=source,
            router=router,
            policies=frozenset({*PRESETS, *policies}),
            versions={"catalog": catalog.version, "predictor": source.version, "policy": version("paretogate")},
        )

    return make


def create_app(parts: Parts) -> Asgi:
    """Join the parts."""
    settings = parts.settings
    backends, serving, embedding = split_embedders(parts.make_serving, parts.backends)
    parts = replace(parts, backends=backends)
    fingerprints = read_fingerprints(settings.canaries, workers=settings.server.workers)
    telemetry = Telemetry(shared=parts.metrics_dir)
    health = Health(clock=parts.clocks.monotonic, stale_after_s=settings.scraping.stale_after_s)
    dispatcher = Dispatcher(
        serving=serving,
        upstreams={},
        journal=parts.journal,
        telemetry=telemetry,
        health=health,
        clocks=parts.clocks,
        rng=parts.rng,
        request_timeout_s=settings.server.request_timeout_s,
        prompt_flags=settings.privacy.prompt_flags,
        tracing=parts.tracing,
    )
    governor = _governor(parts, telemetry)
    pools = PoolShelf(dispatcher, parts.make_serving, governor=governor)
    desk = ToolDesk(
        settings.tools, store=RegistryStore(settings.tools_dir / "registries"), telemetry=telemetry, clocks=parts.clocks
    )
    endpoint = _mcp_endpoint(desk, governor, settings.server)
    history = open_history(settings, wall=parts.clocks.wall, clock=parts.clocks.monotonic)
    framework = _framework(
        parts, dispatcher, governor, desk=desk, endpoint=endpoint, fingerprints=fingerprints, history=history
    )
    framework.include_router(dashboard_routes(lambda: dispatcher.serving, catalog=parts.catalog))
    framework.include_router(models_routes(lambda: dispatcher.serving, embedding=embedding))
    framework.include_router(feedback_routes(parts.journal, telemetry, parts.clocks))
    framework.include_router(stored_responses_routes(history))
    framework.include_router(
        operations_routes(
            serving=lambda: dispatcher.serving,
            journal=parts.journal,
            telemetry=telemetry,
            health=health,
            metrics=settings.telemetry.metrics,
        )
    )
    framework.include_router(tools_routes(desk, governor, parts.clocks))
    doors = _doors(
        dispatcher, pools, Embedders(embedding), settings.server, governor=governor, desk=desk, history=history
    )

    async def gateway(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await framework(scope, receive, send)
            return
        if endpoint is not None and scope["path"] == _MCP:
            try:
                await endpoint(scope, receive, send)
            except ClientGoneError:
                return
            except ParetoGateError as exc:
                await _send_refusal(send, scope["path"], reply_to(exc))
            return
        door = doors.get(scope["path"])
        if door is None:
            try:
                _guard(governor, scope)
                receive = await _whole_body(scope, receive, limit_bytes=settings.server.max_body_bytes)
            except ClientGoneError:
                return
            except ParetoGateError as exc:
                await _send_refusal(send, scope["path"], reply_to(exc))
                return
            await framework(scope, receive, send)
        elif scope["method"] == "POST":
            await door(scope, receive, send)
        else:
            await _send_refusal(send, scope["path"], _METHOD_NOT_ALLOWED, [(b"allow", b"POST")])

    return gateway


def _mcp_endpoint(desk: ToolDesk, governor: Governor, server: ServerSettings) -> McpEndpoint | None:
    if not McpEndpoint.is_available():
        return None
    return McpEndpoint(desk, governor, host=server.host, max_body_bytes=server.max_body_bytes)


def _doors(
    dispatcher: Dispatcher,
    pools: PoolShelf,
    embedders: Embedders,
    limits: ServerSettings,
    *,
    governor: Governor,
    desk: ToolDesk,
    history: ResponseHistory,
) -> Mapping[str, Asgi]:
    """Every hot door, by its path."""
    most = limits.max_body_bytes
    admission = Admission(dispatcher.telemetry, max_concurrency=limits.max_concurrency)
    doors: dict[str, Asgi] = {
        "/v1/messages/count_tokens": CountTokensDoor(dispatcher, governor=governor, max_body_bytes=most),
        "/v1/embeddings": AnswerDoor(
            dispatcher,
            EmbeddingsDialect(),
            pools=pools,
            admission=admission,
            governor=governor,
            max_body_bytes=most,
            serving_for=embedders,
        ),
    }
    dialects: dict[str, Dialect] = {
        "/v1/chat/completions": ChatDialect(),
        "/v1/completions": CompletionsDialect(),
        "/v1/messages": MessagesDialect(),
        "/v1/responses": ResponsesDialect(),
    }
    for path, dialect in dialects.items():
        stored = history if dialect.door == "responses" else None
        doors[path] = AnswerDoor(
            dispatcher,
            dialect,
            pools=pools,
            admission=admission,
            governor=governor,
            max_body_bytes=most,
            tools=desk,
            history=stored,
        )
        doors[f"/routing{path}"] = DecisionDoor(
            dispatcher, dialect, pools=pools, governor=governor, max_body_bytes=most, tools=desk, history=stored
        )
    return doors


def _governor(parts: Parts, telemetry: Telemetry) -> Governor:
    """Keys from their file, limits and conversations in memory or in Redis."""
    settings, clocks = parts.settings, parts.clocks
    keys = KeyRing(KeyFile(settings.keys_path), clock=clocks.monotonic, wall=clocks.wall)
    check_exposure(settings, has_keys=not keys.is_empty)
    url = settings.state.url.get_secret_value()
    store: StateStore = MemoryState(clock=clocks.monotonic)
    if settings.privacy.mode != "off":
        _need("phonenumbers", "stdnum", key="privacy.mode")
    if not url.startswith("memory://"):
        _need("redis", key="state.url")
        shared = RedisState.at(url, timeout_s=settings.state.timeout_ms / 1e3, cluster=settings.state.cluster)
        store = GuardedState(shared, store, clock=clocks.monotonic, watcher=telemetry)
    return Governor(
        keys=keys,
        store=store,
        required=keys_required(settings, has_keys=not keys.is_empty),
        clocks=clocks,
        telemetry=telemetry,
        lease_s=settings.server.request_timeout_s + _LEASE_SLACK_S,
        session_keep_s=settings.state.session_keep_s,
        privacy=settings.privacy.mode,
        phone_region=settings.privacy.phone_region,
    )


def _need(*packages: str, key: str) -> None:
    """Say at the start what a setting needs, not at the first request."""
    if missing := [name for name in packages if find_spec(name) is None]:
        raise InvalidSettingsError(f"{key}: needs {' and '.join(missing)}: {_INSTALLS[key]}")


def _guard(governor: Governor, scope: Scope) -> None:
    """Let only those pass to the framework's addresses who may. Whose a request is stands in the scope from here on.

    Raises:
        UnauthenticatedError, ForbiddenError.
    """
    if not scope["path"].startswith(_GUARDED):
        return
    headers = read_headers(scope)
    if scope["path"].startswith(_FOR_ADMINS):
        governor.admin(headers)
    scope["paretogate.key"] = governor.caller(headers)


async def _whole_body(scope: Scope, receive: Receive, *, limit_bytes: int) -> Receive:
    """The framework would take in a body of any size, and its JSON reader falls over what is nested deep.

    Raises:
        BodyTooLargeError, SlowRequestError, InvalidRequestError, ClientGoneError.
    """
    if scope["method"] not in _WITH_BODY:
        return receive
    body = await read_body(scope, receive, limit_bytes=limit_bytes)
    if body:
        read_json(body)
    return replaying(body, receive)


async def _send_refusal(send: Send, path: str, reply: ErrorReply, more: Headers | None = None) -> None:
    await send_json(send, reply.status, _told(path, reply), [*_advice(reply), *(more or [])])


def _told(path: str, reply: ErrorReply) -> Mapping[str, object]:
    return anthropic_error(reply, request_id="") if path.startswith(_ANTHROPIC) else openai_error(reply)


def _advice(reply: ErrorReply) -> Headers:
    """What a client shall do about it, in headers."""
    more: Headers = [(b"www-authenticate", b"Bearer")] if reply.status == 401 else []
    if reply.retry_after_s is not None:
        more.append((b"retry-after", str(max(1, round(reply.retry_after_s))).encode()))
    return more


def _framework(
    parts: Parts,
    dispatcher: Dispatcher,
    governor: Governor,
    *,
    desk: ToolDesk,
    endpoint: McpEndpoint | None,
    fingerprints: tuple[Fingerprint, ...],
    history: ResponseHistory,
) -> FastAPI:
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
            dispatcher.upstreams = _open_upstreams(parts, stack)
            watchers = [
                asyncio.create_task(_follow_measurements(parts, dispatcher)),
                asyncio.create_task(_follow_tool_usage(parts, desk)),
                asyncio.create_task(_follow_loads(parts, dispatcher.health)),
                asyncio.create_task(_watch_canaries(parts, dispatcher, fingerprints)),
                asyncio.create_task(_keep_gauges_fresh(parts, dispatcher.telemetry)),
            ]
            settle()
            yield
            for watcher in watchers:
                watcher.cancel()
                with suppress(asyncio.CancelledError):
                    await watcher

    app = FastAPI(
        title="ParetoGate",
        version=version("paretogate"),
        description="A model-routing gateway: predicts quality, cost and latency per prompt, and chooses.",
        lifespan=lifespan,
        redoc_url=None,
    )
    app.add_exception_handler(ParetoGateError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_error)
    app.add_exception_handler(HTTPException, _on_error)
    app.add_exception_handler(Exception, _on_error)
    described: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not described:
            described.update(
                get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            )
            described["paths"] = {**with_failures(described["paths"]), **hot_paths()}
        return described

    app.openapi = openapi  # type: ignore[method-assign] # the framework's documented way to extend the document
    return app


def _open_upstreams(parts: Parts, stack: AsyncExitStack) -> Mapping[str, Upstream]:
    if parts.upstreams is not None:
        return parts.upstreams
    # The HTTP client is a fifth of the import; whoever brings upstreams of his own, or only looks, does without.
    from .upstreams.litellm import LiteLLMUpstream  # noqa: PLC0415
    from .upstreams.openai import OpenAIUpstream  # noqa: PLC0415

    direct, translated = OpenAIUpstream(api_keys=parts.api_keys), LiteLLMUpstream(api_keys=parts.api_keys)
    stack.push_async_callback(direct.close)
    stack.push_async_callback(translated.close)
    kinds = ("openai", "vllm", "llama_cpp", "ollama", "embedded", "fake")
    return {**dict.fromkeys(kinds, direct), "litellm": translated}


async def _keep_gauges_fresh(parts: Parts, telemetry: Telemetry) -> None:
    """Where another worker may be asked for this one's gauges, they are never older than a second."""
    while parts.metrics_dir is not None:
        telemetry.refresh()
        await asyncio.sleep(1)


async def _follow_loads(parts: Parts, health: Health) -> None:
    """What model servers say of their load is what the next decisions know of it."""
    from .upstreams.scraping import LoadScraper, scraped_servers  # noqa: PLC0415 - it brings the HTTP client, as above

    scraping = parts.settings.scraping
    servers = scraped_servers(parts.backends) if scraping.every_s else ()
    await LoadScraper(
        servers,
        health,
        api_keys=parts.api_keys,
        jitter=parts.rng.random,
        every_s=scraping.every_s,
        timeout_s=scraping.timeout_s,
    ).run()


async def _watch_canaries(parts: Parts, dispatcher: Dispatcher, fingerprints: tuple[Fingerprint, ...]) -> None:
    """Every worker asks for itself, since each has its own view of who is well; they share the budget."""
    settings = parts.settings.canaries
    share = max(1, settings.calls_per_day // parts.settings.server.workers)
    watched = watched_backends(parts.backends, fingerprints)
    for model in sorted({f.model for f in fingerprints} - {w.fingerprint.model for w in watched}):
        log.warning("canaries_of_no_backend", model=model)
    await CanaryWatch(
        watched,
        dispatcher.upstreams,
        settings,
        budget=CanaryBudget(share, clock=parts.clocks.monotonic),
        health=dispatcher.health,
        telemetry=dispatcher.telemetry,
        jitter=parts.rng.random,
    ).run()


async def _follow_measurements(parts: Parts, dispatcher: Dispatcher) -> None:
    """Whatever refinement measures becomes what the next decisions rest on; a damaged file changes nothing."""
    path, seen = parts.settings.measured_path, _modified(parts.settings.measured_path)
    while True:
        await asyncio.sleep(parts.settings.learning.watch_s)
        if (now := _modified(path)) == seen:
            continue
        seen = now
        try:
            backends = apply_measured(parts.backends, await asyncio.to_thread(read_measured, path))
            dispatcher.serving = await asyncio.to_thread(parts.make_serving, backends)
            settle()
        except (MeasuredFileError, ParetoGateError) as exc:
            log.warning("measured_facts_refused", reason=str(exc))
        else:
            log.info("measured_facts_applied", backends=len(backends))


async def _follow_tool_usage(parts: Parts, desk: ToolDesk) -> None:
    """What refinement learned of the tools of a registry, taken up when its files change."""
    folder = parts.settings.tools_dir / "usage"
    seen: dict[str, tuple[int | None, ...]] = {}
    while True:
        await asyncio.sleep(parts.settings.learning.watch_s)
        for name in await asyncio.to_thread(desk.store.names):
            now = tuple(_modified(path) for path in sorted((folder / name).glob("*.npz")))
            if not now or seen.get(name) == now:
                continue
            seen[name] = now
            try:
                if (learned := await asyncio.to_thread(read_learned, folder, name)) is not None:
                    await desk.take_up(desk.store.load(name), learned)
            except Exception as exc:  # noqa: BLE001 - what was served goes on serving
                log.warning("tool_usage_refused", registry=name, kind=type(exc).__name__)


def _modified(path: os.PathLike[str]) -> int | None:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - a missing file is the usual case
    except OSError:
        return None


async def _on_error(request: Request, exc: Exception) -> JSONResponse:
    reply = _reply(request, exc)
    headers = {name.decode(): value.decode() for name, value in _advice(reply)}
    return JSONResponse(_told(request.url.path, reply), status_code=reply.status, headers=headers)


def _reply(request: Request, exc: Exception) -> ErrorReply:
    if isinstance(exc, RequestValidationError):
        first = exc.errors()[0]
        field_name = ".".join(str(part) for part in first["loc"] if part != "body")
        message = f"{field_name or 'body'}: {first['msg'].removeprefix('Value error, ')}"
        return ErrorReply(
            status=400, kind="invalid_request_error", code="invalid_request", message=message, param=field_name or None
        )
    if isinstance(exc, HTTPException):
        code = {404: "not_found", 405: "method_not_allowed"}.get(exc.status_code, "invalid_request")
        message = f"{exc.detail}: {request.method} {request.url.path[:200]}"
        return ErrorReply(status=exc.status_code, kind="invalid_request_error", code=code, message=message)
    if not isinstance(exc, ParetoGateError):
        log.error("request_crashed", path=request.url.path, exc_info=exc)
    return reply_to(exc)
