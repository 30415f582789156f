"""Is each backend still the model it claims to be? Its canaries are asked again, on a schedule, within a budget.

Every backend that has a recorded fingerprint is asked directly, one question after the other, beside the traffic and
past the routing. A backend whose answers no longer fit is told of; where the operator wishes so it also rests until
its answers fit again. What was found and what was spent is known to this process alone, and forgotten with it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import orjson
import structlog

from catalog import Backend, ParetoGateError
from catalog.capability.canary import CanaryVerdict, check_canaries, mismatches_to_reject
from catalog.capability.canary_file import Fingerprint, read_fingerprint

from .errors import UpstreamError
from .settings import CanarySettings, InvalidSettingsError
from .telemetry import Telemetry
from .upstreams.protocol import Upstream, UpstreamCall
from .wire.answer import read_answer

if TYPE_CHECKING:
    from .upstreams.health import Health

__all__ = ["CanaryBudget", "CanaryWatch", "Watched", "read_fingerprints", "watched_backends"]

log = structlog.get_logger(__name__)

Outcome = Literal["fits", "differs", "unanswered", "over_budget"]

_DAY_S = 86_400.0
_JITTER = 0.2  # of the interval, either way: replicas that started together drift apart
_FIRST_WITHIN_S = 60.0  # of the start, however long the interval: a swap while we were down is found soon
_LONGEST_CALL_S = 60.0  # four tokens take no longer where anybody would route to
_AWAY = 3  # failures in a row after which the rest is not asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A backend, and the answers by which it is known."""

    backend: Backend
    fingerprint: Fingerprint


def read_fingerprints(settings: CanarySettings, *, workers: int = 1) -> tuple[Fingerprint, ...]:
    """The fingerprints of every file that was named, and of every `canaries.json` below a folder that was.

    Args:
        settings: what the operator configured.
        workers: processes that share the calls of a day, each asking for itself.

    Raises:
        InvalidSettingsError: a file cannot be read, or could not convict anybody; the message names it.
    """
    found: list[Fingerprint] = []
    for path in settings.files:
        inside = sorted(path.rglob("canaries.json")) if path.is_dir() else [path]
        if not inside:
            raise InvalidSettingsError(f"canaries.files: {path} holds no canaries.json; `paretogate probe` writes them")
        found += [_read(file, settings, calls_per_day=settings.calls_per_day // workers) for file in inside]
    names = [fingerprint.model for fingerprint in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidSettingsError(f"canaries.files: two files know {twice[0]}; keep the one that holds")
    if settings.every_s is not None and not found:
        raise InvalidSettingsError("canaries.files: nothing to ask; name what `paretogate probe --what canary` wrote")
    return tuple(found)


def watched_backends(backends: Iterable[Backend], fingerprints: Iterable[Fingerprint]) -> tuple[Watched, ...]:
    """Each backend with the fingerprint of its own id, else of the model it claims; those without are left out."""
    by_name = {fingerprint.model: fingerprint for fingerprint in fingerprints}
    return tuple(
        Watched(backend=backend, fingerprint=fingerprint)
        for backend in backends
        if (fingerprint := by_name.get(backend.id) or by_name.get(backend.profile_id)) is not None
    )


class CanaryBudget:
    """At most so many calls in any 24 hours."""

    def __init__(self, calls_per_day: int, *, clock: Callable[[], float]) -> None:
        """`clock` is monotonic, in seconds."""
        self.calls_per_day, self._clock = calls_per_day, clock
        self._taken: deque[tuple[float, int]] = deque()  # when, and how many

    def take(self, calls: int) -> bool:
        """Take these calls, or learn that they are too many today."""
        now_s = self._clock()
        while self._taken and now_s - self._taken[0][0] >= _DAY_S:
            self._taken.popleft()
        if sum(count for _, count in self._taken) + calls > self.calls_per_day:
            return False
        self._taken.append((now_s, calls))
        return True


class CanaryWatch:
    """Runs until it is cancelled; nothing that a backend does makes it stop."""

    def __init__(
        self,
        watched: Iterable[Watched],
        upstreams: Mapping[str, Upstream],
        settings: CanarySettings,
        *,
        budget: CanaryBudget,
        health: "Health",
        telemetry: Telemetry,
        jitter: Callable[[], float],
    ) -> None:
        """`upstreams` are by kind of backend; `jitter` draws from [0, 1)."""
        self._watched, self._upstreams, self._settings = tuple(watched), upstreams, settings
        self._budget, self._health, self._telemetry, self._jitter = budget, health, telemetry, jitter

    async def run(self) -> None:
        """Ask all of them, again and again."""
        every_s = self._settings.every_s
        if every_s is None or not self._watched:
            return
        await asyncio.sleep(min(every_s, _FIRST_WITHIN_S) * self._jitter())
        turn = 0
        while True:
            for _ in self._watched:  # where the budget ends, the next day goes on with those that had to wait
                outcome = await self._guarded(self._watched[turn % len(self._watched)])
                if outcome == "over_budget":
                    break
                turn += 1
            await asyncio.sleep(every_s * (1 - _JITTER + 2 * _JITTER * self._jitter()))

    async def check(self, watched: Watched) -> Outcome:
        """Ask one backend all of its canaries, and act on what it says."""
        canaries, name = watched.fingerprint.canaries, watched.backend.id
        if not self._budget.take(len(canaries)):
            outcome: Outcome = "over_budget"
            log.info("canaries_postponed", backend=name, calls_per_day=self._budget.calls_per_day)
        else:
            answers = await self._answers(watched)
            if self._suffices(watched, sum(answer is not None for answer in answers)):
                outcome = self._judge(watched, answers)
            else:
                outcome = "unanswered"
                log.warning("canaries_unanswered", backend=name)
        self._telemetry.canaries_checked(name, outcome)
        return outcome

    async def _guarded(self, watched: Watched) -> Outcome:
        try:
            return await self.check(watched)
        except Exception as exc:  # noqa: BLE001 - the others are still to be asked
            log.warning("canaries_failed", backend=watched.backend.id, kind=type(exc).__name__)
            return "unanswered"

    async def _answers(self, watched: Watched) -> list[str | None]:
        """One per canary; None where the call failed, and for all that follow once the backend seems to be away."""
        answers: list[str | None] = []
        failures = 0
        for canary in watched.fingerprint.canaries:
            answer = await self._ask(watched, canary.prompt) if failures < _AWAY else None
            failures = failures + 1 if answer is None else 0
            answers.append(answer)
        return answers

    async def _ask(self, watched: Watched, prompt: str) -> str | None:
        backend = watched.backend
        body = {
            "model": backend.model_name,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": watched.fingerprint.max_tokens,
            "temperature": 0,
            "seed": 0,
        }  # as they were recorded
        deadline_s = min(backend.limits.timeout_s, _LONGEST_CALL_S)
        call = UpstreamCall(backend=backend, body=orjson.dumps(body), deadline_s=deadline_s)
        try:
            answer = read_answer(await self._upstreams[backend.kind].complete(call), backend_id=backend.id)
        except UpstreamError as exc:
            log.info("canary_unanswered", backend=backend.id, reason=exc.reason)
            return None
        return str((answer.choices[0].get("message") or {}).get("content") or "")

    def _suffices(self, watched: Watched, answered: int) -> bool:
        """Whether so many answers could convict it: fewer acquit nobody either."""
        return _can_convict(watched.fingerprint, answered, self._settings.significance)

    def _judge(self, watched: Watched, answers: list[str | None]) -> Outcome:
        verdict = check_canaries(
            watched.fingerprint.canaries,
            answers,
            self_mismatch=watched.fingerprint.self_mismatch,
            significance=self._settings.significance,
        )
        self._telemetry.canaries_judged(
            watched.backend.id, mismatch_share=verdict.mismatches / verdict.n, differs=verdict.rejected
        )
        if verdict.rejected:
            self._tell(watched, verdict)
            if self._settings.on_mismatch == "rest":
                self._health.set_aside(watched.backend)
            return "differs"
        if self._health.take_back(watched.backend):
            log.warning("backend_taken_back", backend=watched.backend.id, canaries=verdict.n)
        return "fits"

    def _tell(self, watched: Watched, verdict: CanaryVerdict) -> None:
        log.warning(
            "backend_is_not_its_model",
            backend=watched.backend.id,
            claimed=watched.fingerprint.model,
            recorded=watched.fingerprint.recorded,
            mismatches=verdict.mismatches,
            canaries=verdict.n,
            p_value=verdict.p_value,
            rests=self._settings.on_mismatch == "rest",
        )


def _read(path: Path, settings: CanarySettings, *, calls_per_day: int) -> Fingerprint:
    try:
        found = read_fingerprint(path)
    except ParetoGateError as exc:
        raise InvalidSettingsError(f"canaries.files: {exc}") from exc
    n = len(found.canaries)
    if not _can_convict(found, n, settings.significance):
        raise InvalidSettingsError(
            f"canaries.files: {path}: {n} canaries of a model that differs from itself in {found.self_mismatch:.0%} "
            f"convict nobody at canaries.significance {settings.significance:g}; record more, or raise it"
        )
    if n > calls_per_day:
        raise InvalidSettingsError(
            f"canaries.calls_per_day: {calls_per_day} calls of each worker never ask the {n} canaries of {path}; "
            "allow more"
        )
    return found


def _can_convict(fingerprint: Fingerprint, answered: int, significance: float) -> bool:
    return mismatches_to_reject(answered, chance=fingerprint.self_mismatch, significance=significance) <= answered
