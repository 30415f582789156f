"""`paretogate doctor`: is everything here that serving needs, and if not, what to do about it."""

import asyncio
import os
import platform
import shutil
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, TypeVar

import httpx
import numpy as np
import orjson
import typer
from rich.markup import escape
from rich.table import Table

from catalog import Backend, Catalog, ParetoGateError
from gateway.canaries import read_fingerprints
from gateway.governance.exposure import check_exposure, keys_required
from gateway.journal import JournalReader
from gateway.keys import KeyFile, KeyRing
from gateway.refinement import read_measured
from gateway.settings import Settings, load_settings, settings_file
from gateway.startup import find_backends, open_catalog
from gateway.storage_checks import why_no_journal, why_no_spool, why_unwritable
from gateway.upstreams.credentials import ANTHROPIC_VERSION, credentials
from gateway.upstreams.embedded import EmbeddedUnavailableError, check_llama_cpp, find_weights
from gateway.upstreams.litellm import missing_credentials
from gateway.upstreams.proxies import HTTP_DIRECTLY
from gateway.upstreams.server_load import read_server_load
from predictors import Query
from router import RoutingOptions

from .check import Check, Verdict
from .options import AsJson, ConfigFile, console, working_folder
from .predictor_checks import predictor_checks
from .state_check import NO_SHARED_STATE, why_no_shared_state
from .stream_checks import stream_checks

__all__ = ["Check", "doctor", "examine"]

_T = TypeVar("_T")

_EXTRAS = (
    ("litellm", ("litellm",), "providers that do not speak OpenAI's dialect"),
    ("telemetry", ("opentelemetry.sdk", "opentelemetry.exporter"), "traces and GenAI metrics by OTLP"),
    ("train", ("polars", "sklearn", "scipy"), "`paretogate train`"),
    ("eval", ("polars", "sklearn"), "`paretogate replay` and `paretogate tools`"),
    ("encoders", ("sentence_transformers",), "sentence-transformers models as encoders"),
)
_COLOURS: Mapping[Verdict, str] = {"ok": "green", "note": "yellow", "broken": "red"}
_SMALL_DISK_BYTES = 1 << 30
_PATIENCE_S = 5.0


def doctor(
    *,
    config: ConfigFile = None,
    as_json: AsJson = False,
    offline: Annotated[bool, typer.Option(help="Ask no backend whether it answers.")] = False,
) -> None:
    """Check this installation; exits with 1 where something essential is broken."""
    checks = tuple(examine(config=config, environ=os.environ, offline=offline))
    if as_json:
        typer.echo(orjson.dumps([asdict(check) for check in checks]).decode())
    else:
        console().print(_table(checks))
    if broken := [check.subject for check in checks if check.verdict == "broken"]:
        typer.echo(f"error: broken: {', '.join(broken)}", err=True)
        raise typer.Exit(1)


def examine(*, config: Path | None, environ: Mapping[str, str], offline: bool) -> Iterator[Check]:
    """Every check, in the order in which the gateway needs the things."""
    yield _python()
    yield from _packages()
    yield _embedded()
    yield from _extras()
    settings = _attempt("configuration", lambda: load_settings(config=config, environ=environ, folder=working_folder()))
    if isinstance(settings, Check):
        yield settings
        return
    file = settings_file(config=config, environ=environ, folder=working_folder())
    yield Check(subject="configuration", verdict="ok", detail=str(file or "defaults and environment"))
    folder = _attempt("state directory", lambda: settings.state_dir)
    if isinstance(folder, Check):
        yield folder
        return
    yield _state_dir(folder)
    yield _keys(settings)
    if not offline and not settings.state.url.get_secret_value().startswith("memory://"):
        yield asyncio.run(_shared_state(settings))
    yield _journal(settings)
    if not offline and settings.journal.stream_url is not None:
        yield from stream_checks(settings)
        yield from predictor_checks(settings)
    yield _measured(settings)
    yield from _canaries(settings)
    yield _port(settings)
    catalog = _attempt("catalog", lambda: open_catalog(settings))
    if isinstance(catalog, Check):
        yield catalog
        return
    yield Check(subject="catalog", verdict="ok", detail=f"{len(catalog)} models, version {catalog.version}")
    yield _decision(settings, catalog)
    yield from _backends(settings, catalog, environ, offline=offline)


def _python() -> Check:
    return Check(subject="python", verdict="ok", detail=f"{platform.python_version()} on {platform.machine()}")


def _packages() -> Iterator[Check]:
    names = [
        requirement.partition(";")[0].strip().partition(">")[0].partition("=")[0].partition("[")[0].strip()
        for requirement in requires("paretogate") or ()
        if "extra ==" not in requirement
    ]
    missing = [name for name in names if not _installed(name)]
    if missing:
        remedy = f"pip install {' '.join(missing)}"
        yield Check(subject="packages", verdict="broken", detail=f"missing: {', '.join(missing)}", remedy=remedy)
    else:
        yield Check(
            subject="packages", verdict="ok", detail=f"paretogate {version('paretogate')} and {len(names)} more"
        )


def _embedded() -> Check:
    try:
        weights = find_weights()
        check_llama_cpp()
    except EmbeddedUnavailableError as exc:
        problem, _, remedy = str(exc).partition(": ")
        return Check(subject="embedded model", verdict="note", detail=problem, remedy=remedy)
    return Check(subject="embedded model", verdict="ok", detail=weights.name)


def _extras() -> Iterator[Check]:
    for extra, modules, purpose in _EXTRAS:
        missing = [module for module in modules if not _importable(module)]
        yield (
            Check(
                subject=f"extra {extra}",
                verdict="note",
                detail=f"without {', '.join(missing)}: no {purpose}",
                remedy=f"pip install 'paretogate[{extra}]'",
            )
            if missing
            else Check(subject=f"extra {extra}", verdict="ok", detail=purpose)
        )


def _state_dir(folder: Path) -> Check:
    if (problem := why_unwritable(folder)) is not None:
        return Check(
            subject="state directory",
            verdict="broken",
            detail=f"{folder}: {problem}",
            remedy="make it writable, or set state.dir (PARETOGATE_STATE__DIR)",
        )
    free = shutil.disk_usage(folder).free
    detail = f"{folder}, {free / (1 << 30):.1f} GiB free"
    if free < _SMALL_DISK_BYTES:
        return Check(subject="state directory", verdict="note", detail=detail, remedy="free some space for the journal")
    return Check(subject="state directory", verdict="ok", detail=detail)


def _keys(settings: Settings) -> Check:
    """Whether the keys can be read, and let in whom they should, as `serve` asks at its start."""

    def count() -> int:
        ring = KeyRing(KeyFile(settings.keys_path), clock=time.monotonic, wall=time.time)
        check_exposure(settings, has_keys=not ring.is_empty)
        return ring.n_good

    good = _attempt("keys", count)
    if isinstance(good, Check):
        return good
    asked = "are asked for" if keys_required(settings, has_keys=good > 0) else "are not asked for"
    return Check(subject="keys", verdict="ok", detail=f"{good} good; they {asked} at {settings.server.host}")


async def _shared_state(settings: Settings) -> Check:
    started_s = time.monotonic()
    if (problem := await why_no_shared_state(settings.state, timeout_s=_PATIENCE_S)) is not None:
        return Check(subject="shared state", verdict="note", detail=problem, remedy=NO_SHARED_STATE)
    took_ms = 1e3 * (time.monotonic() - started_s)
    detail = f"Redis answered in {took_ms:.0f} ms, connecting included; keys {settings.state.namespace}:*"
    return Check(subject="shared state", verdict="ok", detail=detail)


def _journal(settings: Settings) -> Check:
    folder = settings.journal_path.parent
    if folder != settings.state_dir and (problem := why_unwritable(folder)) is not None:
        remedy = "make it writable, or set journal.url (PARETOGATE_JOURNAL__URL)"
        return Check(subject="journal", verdict="broken", detail=f"{folder}: {problem}", remedy=remedy)
    if (problem := why_no_spool(settings.journal_path)) is not None:
        remedy = "see who may use it, or name another file by journal.url (PARETOGATE_JOURNAL__URL)"
        return Check(subject="journal", verdict="broken", detail=problem, remedy=remedy)
    if (problem := why_no_journal(settings.journal_path)) is not None:
        remedy = "name another file by journal.url (PARETOGATE_JOURNAL__URL), or move it away"
        return Check(subject="journal", verdict="broken", detail=f"{settings.journal_path} {problem}", remedy=remedy)
    if not settings.journal_path.exists():
        nothing = "empty: nothing was served yet"
        if settings.journal.stream_url is not None:
            nothing = f"in Redis; nothing was collected into {settings.journal_path}"
        return Check(subject="journal", verdict="ok", detail=nothing)

    def count() -> Mapping[str, int]:
        with JournalReader(settings.journal_path) as reader:
            return reader.counts()

    counts = _attempt("journal", count)
    if isinstance(counts, Check):
        return counts
    detail = ", ".join(f"{count} {table}" for table, count in counts.items())
    return Check(subject="journal", verdict="note" if counts["damaged"] else "ok", detail=detail)


def _measured(settings: Settings) -> Check:
    measured = _attempt("measured facts", lambda: read_measured(settings.measured_path))
    if isinstance(measured, Check):
        return measured
    return Check(subject="measured facts", verdict="ok", detail=f"{len(measured)} backends measured")


def _canaries(settings: Settings) -> Iterator[Check]:
    if not settings.canaries.files and settings.canaries.every_s is None:
        return
    found = _attempt("canaries", lambda: read_fingerprints(settings.canaries, workers=settings.server.workers))
    if isinstance(found, Check):
        yield found
        return
    detail = f"{sum(len(f.canaries) for f in found)} that know {', '.join(sorted({f.model for f in found}))}"
    if settings.canaries.every_s is None:
        remedy = "set canaries.every_s to the seconds between two checks"
        yield Check(subject="canaries", verdict="note", detail=f"{detail}; never asked", remedy=remedy)
    else:
        yield Check(subject="canaries", verdict="ok", detail=detail)


def _port(settings: Settings) -> Check:
    host, port = settings.server.host, settings.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as exc:
            return Check(
                subject="port",
                verdict="note",
                detail=f"{host}:{port}: {exc.strerror}",
                remedy="a gateway may be running there already; else choose another by --port or server.port",
            )
    return Check(subject="port", verdict="ok", detail=f"{host}:{port} is free")


def _decision(settings: Settings, catalog: Catalog) -> Check:
    def decide() -> str:
        from gateway.parts import Binder  # noqa: PLC0415 - what it loads is itself checked here

        serving = Binder(settings, catalog)((), also=("all",))
        query = Query.from_prompt("What is 2 + 2?")
        decision = serving.router.decide(query, RoutingOptions(explore=False), rng=np.random.default_rng(0))
        return f"{serving.source.version}; {decision.chosen.profile.id} of {len(serving.pool)} would answer 2 + 2"

    said = _attempt("predictor", decide)
    return said if isinstance(said, Check) else Check(subject="predictor", verdict="ok", detail=said)


def _backends(settings: Settings, catalog: Catalog, environ: Mapping[str, str], *, offline: bool) -> Iterator[Check]:
    found = _attempt("backends", lambda: find_backends(settings, environ=environ, catalog=catalog))
    if isinstance(found, Check):
        yield found
        return
    for finding in found.findings:
        if finding.warning or not finding.joined:
            yield Check(subject=finding.subject, verdict="note", detail=finding.detail)
    if not found.backends and find_spec("xllamacpp") is None:
        remedy = "set a provider's key, name one in [[backends]], or install the embedded model"
        yield Check(subject="backends", verdict="note", detail="nothing could answer a request", remedy=remedy)
        return
    yield Check(subject="backends", verdict="ok", detail=f"{len(found.backends)} beside the embedded model")
    for name, variables in missing_credentials(found.backends).items():
        detail = f"litellm finds none of {', '.join(variables)}"
        remedy = "set them, or name a variable by api_key_env; nothing to do where this machine has a role of its own"
        yield Check(subject=name, verdict="note", detail=detail, remedy=remedy)
    if not offline:
        yield from asyncio.run(_reach(found.backends, environ))


async def _reach(backends: Iterable[Backend], environ: Mapping[str, str]) -> list[Check]:
    endpoints = {backend.base_url: backend for backend in backends if backend.base_url}  # one question per endpoint
    async with httpx.AsyncClient(timeout=_PATIENCE_S, mounts=HTTP_DIRECTLY) as client:
        return await asyncio.gather(*(_ask(client, backend, environ) for backend in endpoints.values()))


async def _ask(client: httpx.AsyncClient, backend: Backend, environ: Mapping[str, str]) -> Check:
    url = backend.shown_url or ""
    key = environ.get(backend.api_key_env or "")
    headers = {**(credentials(backend.kind, key) if key else {}), **backend.headers}
    if backend.kind == "anthropic":
        headers = {"anthropic-version": ANTHROPIC_VERSION, **headers}
    try:
        answer = await client.get(backend.address("/models"), headers=headers)
    except httpx.HTTPError as exc:
        remedy = "start it, mend base_url, or open the way to it"
        return Check(subject=url, verdict="note", detail=f"unreachable: {type(exc).__name__}", remedy=remedy)
    if answer.status_code in {401, 403}:
        remedy = f"check the key in {backend.api_key_env}" if backend.api_key_env else "set api_key_env"
        return Check(subject=url, verdict="note", detail=f"refuses the key ({answer.status_code})", remedy=remedy)
    if backend.kind in {"vllm", "llama_cpp"} and not await _tells_its_load(client, backend, headers):
        detail = f"answers ({answer.status_code}), but does not tell how busy it is"
        remedy = "start llama.cpp with --metrics; vLLM tells at /metrics of the same address"
        return Check(subject=url, verdict="note", detail=detail, remedy=remedy)
    return Check(subject=url, verdict="ok", detail=f"answers ({answer.status_code})")


async def _tells_its_load(client: httpx.AsyncClient, backend: Backend, headers: Mapping[str, str]) -> bool:
    try:
        answer = await client.get(f"{(backend.base_url or '').removesuffix('/v1')}/metrics", headers=headers)
        return answer.status_code == httpx.codes.OK and read_server_load(answer.text) is not None
    except (httpx.HTTPError, ValueError):
        return False


def _attempt(subject: str, call: Callable[[], _T]) -> _T | Check:
    try:
        return call()
    except (ParetoGateError, ImportError, OSError) as exc:
        return Check(subject=subject, verdict="broken", detail=f"{exc}", remedy="see the message")


def _importable(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package that it is part of
        return False


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _table(checks: Iterable[Check]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 1))
    for check in checks:
        colour = _COLOURS[check.verdict]
        remedy = f"\n[dim]{escape(check.remedy)}[/dim]" if check.remedy else ""
        table.add_row(f"[{colour}]{check.verdict}[/{colour}]", escape(check.subject), f"{escape(check.detail)}{remedy}")
    return table
