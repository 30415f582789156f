"""What a gateway does beside answering: it follows what was measured, learned and spent, loads, canaries and gauges.

Each goes on by itself until the gateway ends. One that breaks is logged and begun again: requests are answered without.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from catalog import Backend, ParetoGateError
from catalog.capability.canary_file import Fingerprint
from predictors import EncoderAwayError

from .adapters import Adapters
from .canaries import CanaryBudget, CanaryWatch, watched_backends
from .dispatch import Dispatcher
from .governance.governor import Governor
from .journal import JournalUnavailableError
from .parts import Binder, Parts
from .promotion import PredictorWaitsError, SharedPredictors
from .refinement import MeasuredFileError, SharedFindings, apply_measured, read_measured
from .server.memory import let_go
from .telemetry import Telemetry
from .tools import ToolDesk
from .tools.calls.learning import read_learned
from .upstreams.health import Health
from .upstreams.proxies import HTTP_DIRECTLY
from .upstreams.server_load import ServerLoad

__all__ = ["in_background"]

log = structlog.get_logger(__name__)

_AGAIN_AFTER_S = 5.0
_SOON_S = 2.0
_AWAY_S = 15.0
_MOST_REGISTRIES = 32  # half of the indexes that are held: others are made when they are asked for


@asynccontextmanager
async def in_background(
    parts: Parts,
    dispatcher: Dispatcher,
    *,
    governor: Governor,
    desk: ToolDesk,
    fingerprints: tuple[Fingerprint, ...],
) -> AsyncIterator[None]:
    """All of it, for as long as this is open."""
    configured = frozenset(item.id for item in parts.settings.backends)
    adapters = Adapters(parts.backends, configured=configured, api_keys=parts.api_keys)
    bound = _Bound(parts, dispatcher, adapters)
    work: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
        "measurements": lambda: _follow_measurements(bound),
        "shared_findings": lambda: _follow_shared_findings(parts),
        "predictor": lambda: _follow_predictor(bound),
        "shared_predictors": lambda: _follow_shared_predictors(bound),
        "adapters": lambda: _follow_adapters(bound),
        "tool_registries": lambda: _follow_tool_registries(parts, desk),
        "tool_usage": lambda: _follow_tool_usage(parts, desk),
        "loads": lambda: _follow_loads(parts, dispatcher.health, adapters),
        "canaries": lambda: _watch_canaries(parts, dispatcher, fingerprints),
        "spending": governor.keep,
        "gauges": lambda: _keep_gauges_fresh(parts, dispatcher.telemetry),
    }
    tasks = [asyncio.create_task(_kept_up(name, begin)) for name, begin in work.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@dataclass(frozen=True, slots=True)
class _Bound:
    """What the next decisions rest on. It is bound anew by one at a time: of two, he who began first may end last."""

    parts: Parts
    dispatcher: Dispatcher
    adapters: Adapters
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def anew(self) -> None:
        """Bind what was measured last, and the predictor in force; requests in flight keep what they began with."""
        async with self._turn:
            await self._bind(await self.measured())

    async def measured(self) -> tuple[Backend, ...]:
        """Everybody, with what was measured last."""
        facts = await asyncio.to_thread(read_measured, self.parts.settings.measured_path)
        return apply_measured(self.adapters.backends, facts)

    async def to_version_in_force(self, binder: Binder) -> None:
        """Where another was put in force here."""
        if not binder.is_behind():
            return
        async with self._turn:
            if binder.is_behind():
                await self._let_decide(binder)

    async def _let_decide(self, binder: Binder) -> None:
        telemetry, refused = self.dispatcher.telemetry, True
        try:
            await asyncio.to_thread(binder.renew)
            await self._bind(await self.measured())
            refused = False
        except EncoderAwayError as exc:
            log.warning("predictor_waits", reason=str(exc))
        except (MeasuredFileError, ParetoGateError) as exc:
            log.error("predictor_refused", reason=str(exc))  # noqa: TRY400 - the reason says all
        else:
            log.info("predictor_taken_up", version=self.dispatcher.serving.versions["predictor"])
        finally:
            telemetry.predictor_behind("state_directory", is_behind=refused)

    async def _bind(self, backends: tuple[Backend, ...]) -> None:
        self.dispatcher.serving = await asyncio.to_thread(self.parts.make_serving, backends)
        if self.parts.own_process:
            let_go()


async def _kept_up(name: str, begin: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        try:
            return await begin()
        except Exception:
            log.exception("background_work_broke", work=name, again_after_s=_AGAIN_AFTER_S)
            await asyncio.sleep(_AGAIN_AFTER_S)


async def _keep_gauges_fresh(parts: Parts, telemetry: Telemetry) -> None:
    """Where another worker may be asked for this one's metrics, they are never older than a second."""
    try:
        while parts.metrics_dir is not None:
            telemetry.refresh()
            await asyncio.sleep(1)
    finally:
        telemetry.refresh()  # what a worker counted outlives it


@dataclass(frozen=True, slots=True)
class _LoadsOfServers:
    """Tells of everybody whom a server serves by now (a `LoadListener`)."""

    health: Health
    adapters: Adapters

    def heard(self, backends: tuple[Backend, ...], load: ServerLoad) -> None:
        """See `LoadListener`."""
        self.health.heard(self.adapters.beside(backends), load)


async def _follow_loads(parts: Parts, health: Health, adapters: Adapters) -> None:
    """What model servers say of their load is what the next decisions know of it."""
    from .upstreams.scraping import LoadScraper, scraped_servers  # noqa: PLC0415 - it brings aiohttp

    scraping = parts.settings.scraping
    servers = scraped_servers(parts.backends) if scraping.every_s else ()
    await LoadScraper(
        servers,
        _LoadsOfServers(health, adapters),
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


async def _follow_adapters(bound: _Bound) -> None:
    """What vLLM servers have loaded since, or unloaded; one that was away at the start is asked again soon."""
    parts, adapters = bound.parts, bound.adapters
    every_s, binder, catalog = parts.settings.discovery.adapters_every_s, parts.promoted, parts.catalog
    if not adapters or not every_s or binder is None or catalog is None:
        return
    import httpx  # noqa: PLC0415 - a quarter of a second, for those who look around

    pause_s = min(_SOON_S, every_s)
    async with httpx.AsyncClient(mounts=HTTP_DIRECTLY) as client:
        while True:
            await asyncio.sleep(pause_s * (0.5 + parts.rng.random()))  # replicas that started together drift apart
            if await adapters.look(client):
                parts.api_keys.update(adapters.api_keys)
                binder.know(adapters.described(catalog))
                await bound.anew()
                log.info("adapters_changed", backends=len(adapters.backends))
            pause_s = min(2 * pause_s, every_s)


async def _follow_measurements(bound: _Bound) -> None:
    """Whatever refinement measures becomes what the next decisions rest on; a damaged file changes nothing.

    It is looked at first of all: between the start, when it was read, and now refinement may have written it.
    """
    path, seen, known = bound.parts.settings.measured_path, None, bound.adapters.backends
    while True:
        await asyncio.sleep(bound.parts.settings.learning.watch_s)
        if (now := _modified(path)) == seen:
            continue
        seen = now
        try:
            if (measured := await bound.measured()) == known:
                continue
            await bound.anew()
        except (MeasuredFileError, ParetoGateError) as exc:
            log.warning("measured_facts_refused", reason=str(exc))
        else:
            known = measured
            log.info("measured_facts_applied", backends=len(known))


async def _follow_shared_findings(parts: Parts) -> None:
    """What `refine` learned from the journal of all replicas; written where one's own refinement would."""
    settings = parts.settings
    if settings.journal.stream_url is None:
        return
    shared, is_away = SharedFindings(settings), False
    while True:
        try:
            await asyncio.to_thread(shared.fetch)
            is_away = False
        except JournalUnavailableError as exc:
            if not is_away:
                log.warning("shared_findings_not_heard_of", reason=exc.problem)
            is_away = True
        await asyncio.sleep(_AWAY_S if is_away else settings.learning.watch_s)


async def _follow_predictor(bound: _Bound) -> None:
    """The version that `paretogate promote` or `rollback` puts in force decides next; a damaged one never does."""
    binder = bound.parts.promoted
    bound.dispatcher.telemetry.predictor_behind("state_directory", is_behind=binder is not None and binder.is_waiting)
    while binder is not None:
        await asyncio.sleep(bound.parts.settings.learning.watch_s)
        await bound.to_version_in_force(binder)


async def _follow_shared_predictors(bound: _Bound) -> None:
    """What is in force for all replicas is put in force here, at the start and whenever it changes."""
    binder, settings, telemetry = bound.parts.promoted, bound.parts.settings, bound.dispatcher.telemetry
    if binder is None or settings.journal.stream_url is None or settings.predictor.path is not None:
        return
    shared, told = SharedPredictors(settings), ""
    while True:
        problem, pause_s = "", settings.learning.watch_s
        try:
            await asyncio.to_thread(shared.take_up)
            telemetry.predictor_behind("replicas", is_behind=shared.is_behind)
        except (JournalUnavailableError, OSError) as exc:
            problem, pause_s = "away", _AWAY_S
            if problem != told:
                log.warning("shared_predictor_not_taken_up", reason=str(exc))
            if isinstance(exc, OSError):  # there is one, and it cannot be kept here
                telemetry.predictor_behind("replicas", is_behind=True)
        except PredictorWaitsError as exc:
            log.warning("predictor_waits", reason=str(exc))  # each time: the next is ever later
            telemetry.predictor_behind("replicas", is_behind=True)
        except ParetoGateError as exc:
            problem = str(exc)
            if problem != told:
                log.error("predictor_refused", reason=problem)  # noqa: TRY400 - the reason says all
        told = problem
        await bound.to_version_in_force(binder)
        await asyncio.sleep(pause_s)


async def _follow_tool_registries(parts: Parts, desk: ToolDesk) -> None:
    """Newest versions of registries are indexed at the start and when they come, not when a request waits for them."""
    begun: set[str] = set()
    while True:
        wanted = await asyncio.to_thread(desk.store.newest)
        own = desk.settings.set
        for label in [*([own] if own is not None and "@" in own else []), *wanted][:_MOST_REGISTRIES]:
            if label not in begun:
                begun.add(label)
                await desk.ready(label)
        await asyncio.sleep(parts.settings.learning.watch_s)


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
                    await desk.indexes.take_up(desk.store.load(name), learned)
            except Exception as exc:  # noqa: BLE001 - what was served goes on serving
                log.warning("tool_usage_refused", registry=name, kind=type(exc).__name__)


def _modified(path: os.PathLike[str]) -> int | None:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - a missing file is the usual case
    except OSError:
        return None
