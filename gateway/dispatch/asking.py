"""Asking down the ranking: one backend after the other, until one answers or nobody is left."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import structlog

from catalog import Backend, PoolEntry
from gateway.errors import AllBackendsFailedError, UpstreamError, UpstreamStatusError
from gateway.telemetry import Telemetry
from gateway.tracebacks import forget_frames
from gateway.upstreams.attempts import AttemptPlan, NextAttempt, RetryBudget
from gateway.upstreams.health import Health
from gateway.upstreams.passing_on import passed_on
from gateway.upstreams.protocol import UpstreamCall

from .accounts import Accounts
from .call import Call, Clocks, backend_of

__all__ = ["Asker", "upstream_call"]

log = structlog.get_logger(__name__)

T = TypeVar("T")

_SHORTEST_S = 0.001  # a deadline that has passed already still lets a call end as late, and nothing else


class Asker:
    """Holds what all requests share: places at backends and the budget of retries."""

    def __init__(self, *, health: Health, telemetry: Telemetry, accounts: Accounts, clocks: Clocks) -> None:
        self._health, self._telemetry, self._accounts, self._clocks = health, telemetry, accounts, clocks
        self._budget = RetryBudget()

    async def first_answer(self, call: Call, ask: Callable[[PoolEntry, Backend], Awaitable[T]]) -> tuple[T, Backend]:
        """Ask down the ranking until a backend answers; its place is still taken when this returns.

        Raises:
            AllBackendsFailedError, OverloadedError.
        """
        self._budget.earn()
        ranking = _allowed(call)
        plan = AttemptPlan(ranking, budget=self._budget)
        attempt = plan.first(self._begins)
        if attempt is None:
            self._accounts.conclude(call, status="rejected")
            raise self._health.resting(backend_of(entry) for entry in ranking)
        while True:
            try:
                return await self._attempt(call, attempt.entry, ask)
            except UpstreamError as exc:
                forget_frames(exc)  # it stays with the call
                attempt = await self._next(call, plan, attempt.entry, exc)

    async def _attempt(
        self, call: Call, entry: PoolEntry, ask: Callable[[PoolEntry, Backend], Awaitable[T]]
    ) -> tuple[T, Backend]:
        """One backend, asked once. Its place is given back only where it failed."""
        backend = backend_of(entry)
        call.entry, call.asked_s = entry, self._clocks.monotonic()
        if call.trace is not None:
            call.trace.attempt_began(call, backend, entry.profile.id)
        try:
            answer = await ask(entry, backend)
        except UpstreamError as exc:
            call.waited_s += self._clocks.monotonic() - call.asked_s
            call.entry = None
            self._health.end(backend, exc)
            call.failures.append(exc)
            if call.trace is not None:
                call.trace.attempt_failed(exc)
            raise
        except BaseException:
            self._health.end(backend, "abandoned")
            raise
        call.waited_s += self._clocks.monotonic() - call.asked_s
        return answer, backend

    async def _next(self, call: Call, plan: AttemptPlan, entry: PoolEntry, failure: UpstreamError) -> NextAttempt:
        left_s = call.left_s(self._clocks.monotonic())
        attempt = plan.after(entry, failure, self._begins, left_s=left_s)
        if attempt is not None and attempt.wait_s:
            await asyncio.sleep(attempt.wait_s)
            call.waited_s += attempt.wait_s
        if attempt is None or (attempt.wait_s and not self._begins(attempt.entry)):
            self._give_up(call, failure)
        self._telemetry.fell_back(failed=failure.backend_id, to=backend_of(attempt.entry).id, reason=failure.reason)
        return attempt

    def _give_up(self, call: Call, failure: UpstreamError) -> NoReturn:
        log.warning("request_failed", decision_id=call.decision_id, attempts=len(call.failures), reason=str(failure))
        rejected = isinstance(failure, UpstreamStatusError) and failure.is_refusal
        self._accounts.conclude(call, status="rejected" if rejected else "failed")
        raise AllBackendsFailedError(call.failures) from failure

    def _begins(self, entry: PoolEntry) -> bool:
        return entry.backend is not None and self._health.begin(entry.backend)


def upstream_call(call: Call, entry: PoolEntry, backend: Backend, *, now_s: float) -> UpstreamCall:
    """What this backend is sent; `now_s` is monotonic."""
    reading = call.reading
    headers = passed_on(call.carried, backend)
    if call.trace is not None:
        headers = {**headers, **call.trace.propagated()}
    return UpstreamCall(
        backend=backend,
        body=call.request.for_backend(
            backend.model_name, without=reading.consumed, replacing=reading.replaced or None, recipient=entry
        ),
        path=call.request.path(entry, changed=bool(reading.replaced)),
        headers=headers,
        deadline_s=max(_SHORTEST_S, min(call.deadline_s - now_s, backend.limits.timeout_s)),
        silence_s=call.silence_s,
        waited_s=now_s - call.started_s,
    )


def _allowed(call: Call) -> list[PoolEntry]:
    """The ranking, as far as the caller lets it go: another backend of the same model is no other model."""
    entries = [call.decision.pool.entries[p] for p in call.decision.ranking]
    callable_here = [entry for entry in entries if entry.backend is not None]
    if call.options.allow_fallbacks and call.reading.target is None:
        return callable_here
    return [entry for entry in callable_here if entry.profile.id == entries[0].profile.id]
