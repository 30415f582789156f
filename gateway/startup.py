"""What there is to route to: the catalog, the backends that were configured or found, and why others were left out.

Backends join in this order, and the first of an id wins: those configured, the embedded model, those that a
provider's key in the environment opens, servers that answer on loopback, and adapters of configured vLLM servers.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from catalog import Backend, Catalog, CatalogError, ModelProfile
from catalog.discovery.digests import watch_digests
from catalog.discovery.embedders import embedders_for_keys
from catalog.discovery.providers import backends_for_keys
from catalog.importers.overlay import read_overlay

from .refinement import MeasuredFileError, apply_measured, read_measured
from .settings import BackendSettings, InvalidSettingsError, Settings
from .upstreams.embedded import EmbeddedModel, EmbeddedUnavailableError, embedded_backend, find_weights
from .upstreams.proxies import HTTP_DIRECTLY

__all__ = ["Finding", "Found", "find_backends", "open_catalog", "planned_embedded", "start_embedded"]

_Described = tuple[tuple[ModelProfile, Backend], ...]
_INSTALL_LITELLM = "pip install 'paretogate[litellm]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at: it joined, or it was left out and why, or it is served and needs a look."""

    subject: str
    joined: bool
    detail: str
    warning: bool = False  # nothing was left out, yet somebody should look

    def __str__(self) -> str:
        mark = "!" if self.warning else "+" if self.joined else "-"
        return f"{mark} {self.subject}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Everything that can answer, and the story of how it was found."""

    catalog: Catalog
    backends: tuple[Backend, ...]
    findings: tuple[Finding, ...]


def open_catalog(settings: Settings) -> Catalog:
    """The operator's catalog, or the one that ships, under the overlays, the later above the earlier.

    Raises:
        ImportFailedError: the catalog that is named is absent, or is none.
        InvalidOverlayError: an overlay has an unknown key or an impossible value.
    """
    catalog = Catalog.load(settings.catalog.path)
    for path in settings.catalog.overlays:
        catalog = catalog.with_profiles(catalog.spelled(read_overlay(path)))
    return catalog


def start_embedded(settings: Settings, catalog: Catalog) -> EmbeddedModel | Finding:
    """Start loading the embedded model, or say why there is none.

    Raises:
        EmbeddedUnavailableError: it cannot run here, and the configuration insists on it.
    """
    weights = _embedded_weights(settings)
    if isinstance(weights, Finding):
        return weights
    wanted = settings.embedded
    profile = _profile(catalog, wanted.profile, where="embedded.profile")
    return EmbeddedModel(
        weights,
        profile_id=profile.id,
        model_name=_embedded_name(profile),
        threads=wanted.threads,
        context_tokens=wanted.context_tokens,
        slots=wanted.slots,
    )


def planned_embedded(settings: Settings, catalog: Catalog) -> Backend | Finding:
    """The embedded model as it would be served, without starting it: enough to decide about."""
    weights = _embedded_weights(settings)
    if isinstance(weights, Finding):
        return weights
    profile = _profile(catalog, settings.embedded.profile, where="embedded.profile")
    return embedded_backend(
        weights,
        profile_id=profile.id,
        model_name=_embedded_name(profile),
        context_tokens=settings.embedded.context_tokens,
        slots=settings.embedded.slots,
    )


def find_backends(
    settings: Settings,
    *,
    environ: Mapping[str, str],
    catalog: Catalog,
    embedded: Backend | Finding | None = None,
    look_around: bool = True,
) -> Found:
    """Gather every backend.

    Args:
        settings: what the operator configured.
        environ: usually `os.environ`; only names of variables are kept.
        catalog: where profiles come from.
        embedded: the running embedded model, or why there is none.
        look_around: may servers on loopback be asked what they serve.

    Raises:
        InvalidSettingsError: a configured backend names a model that no profile describes.
    """
    configured = [_configured(item, catalog, environ) for item in settings.backends]
    groups: list[Iterable[Backend | Finding]] = [configured]
    if embedded is not None:
        groups.append([embedded])
    if settings.discovery.environment_keys:
        groups.append(_usable(backends_for_keys(catalog, environ), environ))
        embedders = embedders_for_keys(environ)
        catalog = catalog.with_profiles(profile for profile, _ in embedders) if embedders else catalog
        groups.append(backend for _, backend in embedders)
    if look_around and settings.discovery.loopback:
        described = _on_loopback(settings)
        catalog, served = _joined(catalog, described)
        groups.append(served)
        seen = {backend.id: profile.digest for profile, backend in described if profile.digest}
        changed = watch_digests(settings.state_dir / "digests.json", seen) if seen else ()
        groups.append([_warning(told.entry, f"{told.field}: {told.problem}") for told in changed])
    if look_around and (bases := [item for item in configured if isinstance(item, Backend) and item.kind == "vllm"]):
        catalog, adapters = _joined(catalog, _adapters(bases, environ))
        groups.append(adapters)
    backends, findings = _first_of_each_id(groups)
    measured, problem = _measured(settings, backends)
    return Found(catalog=catalog, backends=measured, findings=(*findings, *problem))


def _embedded_weights(settings: Settings) -> Path | Finding:
    if settings.embedded.enabled == "off":
        return _left_out("embedded model", "switched off by embedded.enabled")
    try:
        return find_weights(settings.embedded.gguf)
    except EmbeddedUnavailableError as exc:
        if settings.embedded.enabled == "on":
            raise
        return _left_out("embedded model", str(exc))


def _embedded_name(profile: ModelProfile) -> str:
    return profile.id.rpartition("/")[2].lower()


def _configured(item: BackendSettings, catalog: Catalog, environ: Mapping[str, str]) -> Backend | Finding:
    profile = _profile(catalog, item.profile, where=f"backends: {item.id}: profile")
    return _ready(item.backend(profile.id), environ)


def _usable(backends: Iterable[Backend], environ: Mapping[str, str]) -> Iterable[Backend | Finding]:
    without_litellm: dict[str, int] = {}
    for backend in backends:
        ready = _ready(backend, environ)
        if isinstance(ready, Backend):
            yield ready
        else:
            without_litellm[backend.provider] = without_litellm.get(backend.provider, 0) + 1
    for provider, count in without_litellm.items():
        yield _left_out(provider, f"{count} models of a provider that needs litellm: {_INSTALL_LITELLM}")


def _ready(backend: Backend, environ: Mapping[str, str]) -> Backend | Finding:
    if backend.api_key_env is not None and not environ.get(backend.api_key_env):
        return _left_out(backend.id, f"the environment variable {backend.api_key_env} is not set")
    if backend.kind == "litellm" and find_spec("litellm") is None:
        return _left_out(backend.id, f"its provider needs litellm: {_INSTALL_LITELLM}")
    return backend


def _on_loopback(settings: Settings) -> _Described:
    import httpx  # noqa: PLC0415 - a quarter of a second, for those who look around

    from catalog.discovery.servers import DEFAULT_LOOPBACK, discover  # noqa: PLC0415

    urls = settings.discovery.loopback_urls or DEFAULT_LOOPBACK

    async def ask() -> _Described:
        async with httpx.AsyncClient(mounts=HTTP_DIRECTLY) as client:
            return await discover(client, urls=urls)

    return _waited_for(ask)


def _adapters(bases: Iterable[Backend], environ: Mapping[str, str]) -> _Described:
    """The LoRA adapters of the vLLM servers that were configured; `gateway.adapters` looks for later ones."""
    import httpx  # noqa: PLC0415 - as above

    from catalog.discovery.servers import discover_adapters  # noqa: PLC0415

    async def ask() -> _Described:
        async with httpx.AsyncClient(mounts=HTTP_DIRECTLY) as client:
            found = await asyncio.gather(
                *(discover_adapters(client, base, api_key=environ.get(base.api_key_env or "")) for base in bases)
            )
        return tuple(pair for pairs in found for pair in pairs or ())

    return _waited_for(ask)


def _waited_for(ask: Callable[[], Coroutine[Any, Any, _Described]]) -> _Described:
    """What was asked for, in a thread of its own: a worker process looks around inside its event loop, at its start."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(ask())).result()


def _joined(catalog: Catalog, found: _Described) -> tuple[Catalog, list[Backend]]:
    """The catalog with what was found, adapters with all that is known of their bases."""
    from catalog.discovery.servers import inherit  # noqa: PLC0415 - as above

    profiles = [profile for profile, _ in found]
    own = catalog.with_profiles(profile for profile in profiles if profile.base_model is None)
    adapters = inherit(own, [profile for profile in profiles if profile.base_model is not None])
    return own.with_profiles(adapters), [backend for _, backend in found]


def _first_of_each_id(
    groups: Iterable[Iterable[Backend | Finding]],
) -> tuple[tuple[Backend, ...], tuple[Finding, ...]]:
    backends: dict[str, Backend] = {}
    findings: list[Finding] = []
    for item in (item for group in groups for item in group):
        if isinstance(item, Finding):
            findings.append(item)
        elif item.id in backends:
            findings.append(_left_out(item.id, "a backend of this id joined before"))
        else:
            backends[item.id] = item
            where = f" at {item.shown_url}" if item.shown_url else ""
            findings.append(Finding(subject=item.id, joined=True, detail=f"{item.profile_id} by {item.kind}{where}"))
    return tuple(backends.values()), tuple(findings)


def _measured(settings: Settings, backends: tuple[Backend, ...]) -> tuple[tuple[Backend, ...], tuple[Finding, ...]]:
    try:
        return apply_measured(backends, read_measured(settings.measured_path)), ()
    except MeasuredFileError as exc:
        return backends, (_left_out("measured facts", str(exc)),)


def _profile(catalog: Catalog, name: str, *, where: str) -> ModelProfile:
    try:
        return catalog.resolve(name)
    except CatalogError as exc:
        raise InvalidSettingsError(f"{where}: {exc}; a model of your own needs a profile in catalog.overlays") from exc


def _left_out(subject: str, why: str) -> Finding:
    return Finding(subject=subject, joined=False, detail=why)


def _warning(subject: str, why: str) -> Finding:
    return Finding(subject=subject, joined=True, detail=why, warning=True)
