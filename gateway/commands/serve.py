"""`paretogate serve`: find what can answer, say so, and open the door."""

import asyncio
import contextlib
import os
import shlex
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import orjson
import structlog
import typer

from catalog import Backend, Catalog
from gateway.governance.exposure import check_exposure, keys_required
from gateway.keys import KeyFile, KeyRing
from gateway.refinement import watch
from gateway.server.listening import open_socket, run_until_told, server_config, watched_often
from gateway.server.metrics_folder import metrics_folder
from gateway.server.open_files import raise_limit, too_few
from gateway.settings import Settings, load_settings
from gateway.startup import Finding, Found, find_backends, open_catalog, start_embedded
from gateway.storage_checks import check_storage
from gateway.telemetry import configure_logging
from gateway.upstreams.embedded import EmbeddedModel, EmbeddedUnavailableError

from .options import AsJson, ConfigFile, working_folder
from .refine import refinement_pass
from .state_check import shared_state_findings

__all__ = ["gathered", "serve"]

_MORE_MODELS = "keys such as OPENAI_API_KEY, model servers on this machine and [[backends]] bring more"

log = structlog.get_logger(__name__)


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, 0 for any free one.  [8321]")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes.  [1]", min=1)] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Start the gateway: an OpenAI-compatible server that chooses a model for each prompt."""
    flags = {"server": {"host": host, "port": port, "workers": workers}}
    settings = load_settings(config=config, environ=os.environ, flags=flags, folder=working_folder())
    configure_logging(level=settings.telemetry.log_level, style=settings.telemetry.log_format)
    check_storage(settings)  # told before anything is started
    limit = raise_limit()
    keys = KeyRing(KeyFile(settings.keys_path), clock=time.monotonic, wall=time.time)
    check_exposure(settings, has_keys=not keys.is_empty)
    door = open_socket(settings.server.host, settings.server.port)
    catalog = open_catalog(settings)
    with gathered(settings, catalog, os.environ) as found, _refining(settings, found.catalog):
        asks_for_key = keys_required(settings, has_keys=not keys.is_empty)
        few = too_few(limit, max_concurrency=settings.server.max_concurrency)
        unshared = asyncio.run(shared_state_findings(settings.state))
        told = replace(found, findings=(*found.findings, *few, *unshared))
        _announce(told, door, settings, asks_for_key=asks_for_key, as_json=as_json)
        _run(settings, found, door)


@contextlib.contextmanager
def gathered(settings: Settings, catalog: Catalog, environ: Mapping[str, str]) -> Iterator[Found]:
    """Every backend that can answer; the embedded model runs for as long as this is open."""
    started = start_embedded(settings, catalog)
    try:
        embedded = _ready(started, settings) if isinstance(started, EmbeddedModel) else started
        yield find_backends(settings, environ=environ, catalog=catalog, embedded=embedded)
    finally:
        if isinstance(started, EmbeddedModel):
            started.close()


def _ready(model: EmbeddedModel, settings: Settings) -> Backend | Finding:
    try:
        return model.wait()
    except EmbeddedUnavailableError as exc:
        if settings.embedded.enabled == "on":
            raise
        return Finding(subject="embedded model", joined=False, detail=str(exc))


@contextlib.contextmanager
def _refining(settings: Settings, catalog: Catalog) -> Iterator[None]:
    """Learn from our own journal in the background; from one that replicas share, `refine --watch` learns for all."""
    if settings.learning.refine_every_s == 0 or settings.journal.stream_url is not None:
        yield
        return
    stop, every_s = threading.Event(), settings.learning.refine_every_s
    run = partial(
        watch,
        partial(refinement_pass, settings, catalog),
        every_s=every_s,
        stop=stop,
        report=lambda done: log.info("refined", new_outcomes=done.new_outcomes),
        failed=lambda exc: log.error("refinement_failed", reason=str(exc), again_after_s=every_s),
    )
    thread = threading.Thread(target=run, name="refinement", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=5)


def _announce(found: Found, door: socket.socket, settings: Settings, *, asks_for_key: bool, as_json: bool) -> None:
    url = _url(*door.getsockname()[:2])
    if as_json:
        backends = [{"id": b.id, "model": b.profile_id, "kind": b.kind, "url": b.shown_url} for b in found.backends]
        left_out = [{"subject": f.subject, "why": f.detail} for f in found.findings if not f.joined]
        warnings = [{"subject": f.subject, "why": f.detail} for f in found.findings if f.warning]
        ready = {"url": url, "pid": os.getpid(), "backends": backends, "left_out": left_out, "warnings": warnings}
        typer.echo(orjson.dumps(ready).decode())
        return
    for finding in found.findings:
        typer.echo(f"  {finding}", err=True)
    typer.echo(f"journal: {_journal(settings)} (prompts: {settings.journal.prompts})", err=True)
    typer.echo(f"serving on {url} with {len(found.catalog)} models in the catalog", err=True)
    if all(backend.kind == "embedded" for backend in found.backends):
        who = (
            "only the embedded model answers" if found.backends else "nothing answers yet, though decisions can be made"
        )
        typer.echo(f"  {who}; {_MORE_MODELS}", err=True)
    typer.echo(f"  see it decide: {url}/dashboard", err=True)
    typer.echo(f"  ask it:\n\n{_example(url, answers=bool(found.backends), asks_for_key=asks_for_key)}\n", err=True)


def _journal(settings: Settings) -> str:
    if settings.journal.stream_url is None:
        return str(settings.journal_path)
    return f"{settings.journal.shown_stream}, which `paretogate refine --watch` collects and learns from"


def _url(host: str, port: int) -> str:
    """Where a client on this machine finds us: an address that stands for all of them is none to call."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not listened on
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _example(url: str, *, answers: bool, asks_for_key: bool) -> str:
    body: dict[str, object] = {
        "model": "auto",
        "messages": [{"role": "user", "content": "Name three primary colours."}],
    }
    if not answers:
        body["routing"] = {"models": {"allow": ["all"]}}
    door = "/v1/chat/completions" if answers else "/routing/v1/chat/completions"
    key = " -H 'authorization: Bearer YOUR_KEY'" if asks_for_key else ""
    return (
        f"  curl -i {url}{door}{key} -H 'content-type: application/json' \\\n"
        f"    -d {shlex.quote(orjson.dumps(body).decode())}"
    )


def _run(settings: Settings, found: Found, door: socket.socket) -> None:
    workers, doors = settings.server.workers, watched_often(door)
    if workers == 1:
        run_until_told(server_config(partial(_app, settings, found), factory=True), doors)
        return
    from gateway.server.workers import run_workers  # noqa: PLC0415 - a taken port is told before the server is loaded

    with _counting(settings), metrics_folder() as shared:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(shared)  # read by the metrics library when a worker imports it
        run_workers(
            partial(_worker, settings, _embedded(found)),
            doors,
            workers=workers,
            orphaned=partial(shutil.rmtree, shared, ignore_errors=True),
        )


def _counting(settings: Settings) -> contextlib.AbstractContextManager[None]:
    """Where no Redis counts for the workers, files do."""
    if not settings.state.url.get_secret_value().startswith("memory://"):
        return contextlib.nullcontext()
    from gateway.state import counting_in  # noqa: PLC0415 - of one worker it is not wanted

    return counting_in(settings.limits_dir, settings.spent_path)


def _app(settings: Settings, found: Found) -> Any:  # noqa: ANN401 - an ASGI application, which uvicorn types so
    from gateway.app import build  # noqa: PLC0415

    return build(settings, catalog=found.catalog, backends=found.backends, environ=os.environ)


def _worker(settings: Settings, embedded: Backend | None) -> Any:  # noqa: ANN401 - as above
    """The app of one of several processes, which looks around by itself; only the embedded model is shared."""
    configure_logging(level=settings.telemetry.log_level, style=settings.telemetry.log_format)
    catalog = open_catalog(settings)
    return _app(settings, find_backends(settings, environ=os.environ, catalog=catalog, embedded=embedded))


def _embedded(found: Found) -> Backend | None:
    return next((replace(b, headers={}) for b in found.backends if b.kind == "embedded"), None)
