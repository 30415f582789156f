"""One request's life, between the door and the backends: decide, record, call, fall back, account."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import count
from typing import TypeVar

import numpy as np
import structlog

from catalog import Backend, PoolEntry, Usage
from predictors import Query, read_query
from router import (
    Decision,
    NoEligibleModelError,
    Reading,
    RoutingOptions,
    Screening,
    SessionState,
    decision_record,
    explain,
    read_options,
)

from .errors import (
    AllBackendsFailedError,
    InvalidRequestError,
    OverloadedError,
    UpstreamError,
    UpstreamProtocolError,
    UpstreamStatusError,
)
from .journal.protocol import Journal
from .serving import Serving
from .standing import ANONYMOUS, Standing
from .telemetry import Telemetry
from .upstreams.attempts import AttemptPlan, NextAttempt, RetryBudget
from .upstreams.health import Health
from .upstreams.protocol import Upstream, UpstreamCall
from .wire.answer import ChatAnswer
from .wire.body import ChatRequest
from .wire.stream import ChatStream

__all__ = ["Call", "Clocks", "Dispatcher", "OpenStream"]

log = structlog.get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """Time, handed in: `wall` since the epoch for records, `monotonic` for durations; both in seconds."""

    wall: Callable[[], float]
    monotonic: Callable[[], float]


@dataclass(slots=True, kw_only=True)
class Call:
    """A request that has been decided about, and what became of it."""

    decision_id: str
    request: ChatRequest
    reading: Reading
    query: Query
    decision: Decision
    serving: Serving
    started_s: float  # monotonic, when the request came in
    deadline_s: float  # monotonic, when the client has waited long enough
    entry: PoolEntry | None = None  # who answered
    failures: list[UpstreamError] = field(default_factory=list)
    waited_s: float = 0.0  # spent waiting for backends: not our overhead
    asked_s: float = 0.0  # monotonic, when the last attempt began
    ttft_s: float | None = None
    cost_usd: float | None = None
    usage: Usage | None = None
    standing: Standing = ANONYMOUS

    @property
    def options(self) -> RoutingOptions:
        """What the caller wished."""
        return self.reading.options

    @property
    def answered_by(self) -> PoolEntry:
        """Who answered; only once somebody did."""
        if self.entry is None:
            raise AssertionError("nobody has answered yet")
        return self.entry

    @property
    def attempts(self) -> int:
        """Backends asked so far, the one that answered included."""
        return len(self.failures) + (self.entry is not None)


@dataclass(slots=True, kw_only=True)
class OpenStream:
    """A stream whose first content has arrived."""

    chunks: AsyncGenerator[bytes, None]
    reader: ChatStream
    held: bytes  # what the client gets first


class Dispatcher:
    """Everything a door needs. Holds no state of any one request."""

    def __init__(
        self,
        *,
        serving: Serving,
        upstreams: Mapping[str, Upstream],
        journal: Journal,
        telemetry: Telemetry,
        health: Health,
        clocks: Clocks,
        rng: np.random.Generator,
        request_timeout_s: float = 600.0,
        prompt_flags: bool = False,
    ) -> None:
        """`upstreams` maps a backend's kind to the way it is called; `serving` may be swapped at any time."""
        self.serving, self.upstreams, self.journal = serving, upstreams, journal
        self.telemetry, self.health, self.clocks, self.rng = telemetry, health, clocks, rng
        self.request_timeout_s, self.prompt_flags = request_timeout_s, prompt_flags
        self._budget = RetryBudget()
        self._id_prefix, self._id_count = f"dec_{os.urandom(8).hex()}", count(1)  # cheap, and unique to this process

    def decide(
        self,
        request: ChatRequest,
        headers: Mapping[str, str],
        *,
        started_s: float,
        serving: Serving | None = None,
        dry_run: bool = False,
        reading: Reading | None = None,
        standing: Standing = ANONYMOUS,
    ) -> Call:
        """Read the wishes, decide, and keep the decision before anybody is asked. A dry run leaves no trace.

        Raises:
            InvalidRoutingError, NoEligibleModelError, UnknownModelError, JournalFullError.
        """
        serving = serving or self.serving
        reading = reading or self.read_wishes(request, headers, serving)
        query = read_query(request.body)
        before = self.clocks.monotonic()
        decision = self._choose(reading, query, serving, dry_run=dry_run, session=self._session(standing, serving))
        call = Call(
            decision_id=f"{self._id_prefix}{next(self._id_count):06x}",
            request=request,
            reading=reading,
            query=query,
            decision=decision,
            serving=serving,
            started_s=started_s,
            deadline_s=started_s + self.request_timeout_s,
            standing=standing,
        )
        if not dry_run:
            self.telemetry.decided(
                model=decision.chosen.profile.id,
                policy=decision.policy,
                explored=decision.explored,
                duration_s=self.clocks.monotonic() - before,
            )
            self.journal.write("decision", self._record(call))
        return call

    def read_wishes(
        self,
        request: ChatRequest,
        headers: Mapping[str, str],
        serving: Serving,
        *,
        prompt_flags: bool | None = None,
    ) -> Reading:
        """How the caller wants this request routed, however it was said.

        Raises:
            InvalidRoutingError: a wish is malformed, unknown or contradicts another.
        """
        return read_options(
            model=request.model,
            body=request.body,
            headers=headers,
            policies=serving.policies,
            allow_prompt_flags=self.prompt_flags if prompt_flags is None else prompt_flags,
        )

    async def complete(self, call: Call) -> ChatAnswer:
        """The whole answer of the first backend that gives one.

        Raises:
            AllBackendsFailedError, OverloadedError.
        """

        async def ask(entry: PoolEntry, backend: Backend) -> ChatAnswer:
            raw = await self.upstreams[backend.kind].complete(self._upstream_call(call, entry, backend))
            call.ttft_s = None
            return call.request.read_answer(raw, backend_id=backend.id)

        try:
            answer, backend = await self._first_answer(call, ask)
        except (asyncio.CancelledError, InvalidRequestError) as exc:
            self._conclude(call, status="rejected" if isinstance(exc, InvalidRequestError) else "cancelled")
            raise
        self.health.end(backend, "answered")
        self._note_model(backend, answer.model_returned)
        self._account(call, answer.usage)
        self._conclude(
            call,
            status="ok",
            usage=answer.usage,
            response_id=answer.response_id,
            model_returned=answer.model_returned,
            finish_reason=answer.finish_reason,
            tools_called=answer.tools_called,
        )
        return answer

    async def open_stream(self, call: Call) -> OpenStream:
        """The stream of the first backend that begins to answer. It must be given to `relay`.

        Raises:
            AllBackendsFailedError, OverloadedError.
        """

        async def ask(entry: PoolEntry, backend: Backend) -> OpenStream:
            reader = ChatStream(
                model_id=entry.profile.id,
                wants_usage=call.request.wants_usage,
                explain=call.options.explain,
                late_facts=lambda usage: self.late_facts(call, usage),
            )
            chunks = self.upstreams[backend.kind].stream(self._upstream_call(call, entry, backend))
            try:
                held = await _until_started(chunks, reader, backend)
            except BaseException:
                await chunks.aclose()
                raise
            call.ttft_s = self.clocks.monotonic() - call.asked_s
            return OpenStream(chunks=chunks, reader=reader, held=held)

        try:
            opened, _ = await self._first_answer(call, ask)
        except (asyncio.CancelledError, InvalidRequestError) as exc:
            self._conclude(call, status="rejected" if isinstance(exc, InvalidRequestError) else "cancelled")
            raise
        return opened

    async def relay(self, call: Call, opened: OpenStream) -> AsyncGenerator[bytes, None]:
        """The stream's bytes; after a failure midway, an in-band error and no end mark."""
        backend, reader = _backend(call.entry), opened.reader
        status = "cancelled"  # what holds when the client leaves before the end
        failure: UpstreamError | None = None
        try:
            async for part in _parts(opened):
                yield part
            if reader.fault is None:
                status = "ok"
            else:
                failure = UpstreamProtocolError(reader.fault, backend_id=backend.id)
        except UpstreamError as exc:
            failure = exc
        finally:
            await opened.chunks.aclose()
            self.health.end(backend, failure or ("answered" if status == "ok" else "abandoned"))
            if failure is not None:
                status = "failed"
                call.failures.append(failure)
                log.warning("stream_interrupted", decision_id=call.decision_id, backend=backend.id, reason=str(failure))
            self._note_model(backend, reader.model_returned)
            self._account(call, reader.usage)
            self._conclude(
                call,
                status=status,
                usage=reader.usage,
                response_id=reader.response_id,
                model_returned=reader.model_returned,
                finish_reason=reader.finish_reason,
                tools_called=tuple(reader.tools_called),
            )
        if failure is not None:
            raise failure

    def refuse(self, call: Call) -> None:
        """Nobody is asked, though it was decided who would be."""
        self._conclude(call, status="rejected")

    def explanation(self, call: Call) -> dict[str, object]:
        """Why, in the shape that callers read."""
        explained = dict(explain(call.decision, call.options))
        explained["decision_id"] = call.decision_id
        explained["versions"] = dict(call.serving.versions)
        return explained

    def late_facts(self, call: Call, usage: Usage | None) -> dict[str, object]:
        """What is known after the call; with the explanation where the caller asked for it."""
        facts: dict[str, object] = self.explanation(call) if call.options.explain else {"decision_id": call.decision_id}
        facts["cost_usd"] = _cost_usd(call.entry, usage)  # the explanation's forecast is in its candidates
        facts["attempts"] = call.attempts
        if call.failures:
            facts["fallback_from"] = [failure.backend_id for failure in call.failures]
        return facts

    def _session(self, standing: Standing, serving: Serving) -> SessionState | None:
        """The conversation so far; free to move on when the backend it is bound to is gone or unwell.

        What only that backend could read is then taken out of the history (`gateway.wire.bound`).
        """
        session = standing.session
        if session is None or not session.pinned:
            return session
        backends = (serving.pool.entries[p].backend for p in serving.names.get(session.backend_id, ()))
        well = any(b is not None and b.id == session.backend_id and self.health.admits(b) for b in backends)
        return session if well else replace(session, pinned=False)

    def _choose(
        self, reading: Reading, query: Query, serving: Serving, *, dry_run: bool, session: SessionState | None = None
    ) -> Decision:
        options = replace(reading.options, explore=False) if dry_run else reading.options
        if reading.target is not None:
            positions = serving.positions(reading.target)
            if options.require == _NO_CONSTRAINTS:
                return self._as_named(positions, query, serving)
            options = replace(options, allow=(serving.pool.ids[positions[0]],), explore=False)
        elif options.allow or options.deny or options.order:
            options = _by_id(options, serving)
        try:
            return serving.router.decide(
                query,
                options,
                rng=self.rng,
                session=session,
                load=self.health.load(),
                available=None if dry_run else self.health.available(serving.pool),
            )
        except NoEligibleModelError as exc:
            self.telemetry.rejected(exc.rejections)
            raise

    def _as_named(self, positions: tuple[int, ...], query: Query, serving: Serving) -> Decision:
        """No choice was left to us: the model that was named, on whichever backend of it is well."""
        entries = serving.pool.entries
        well = [p for p in positions if (b := entries[p].backend) is not None and self.health.admits(b)]
        ranking = (*well, *(p for p in positions if p not in well))
        return Decision(
            pool=serving.pool,
            forecast=serving.source.forecast(query),
            screening=Screening(constraints=(), violated=np.zeros((0, len(entries)), dtype=np.bool_)),
            front=ranking[:1],
            utility=np.full(len(entries), np.nan),  # (n_candidates,)
            ranking=ranking,
            propensity=1.0,
            explored=False,
            policy="named",
            reason="named",
        )

    async def _first_answer(self, call: Call, ask: Callable[[PoolEntry, Backend], Awaitable[T]]) -> tuple[T, Backend]:
        """Ask down the ranking until a backend answers; its place is still taken when this returns."""
        self._budget.earn()
        ranking = self._allowed(call)
        plan = AttemptPlan(ranking, budget=self._budget, jitter=self.rng.random)
        attempt = plan.first(self._begins)
        if attempt is None:
            soonest_s = self.health.soonest_s(_backend(entry) for entry in ranking)
            raise OverloadedError(
                "every backend that may answer is resting or full; come back", retry_after_s=soonest_s
            )
        while True:
            backend = _backend(attempt.entry)
            call.entry, call.asked_s = attempt.entry, self.clocks.monotonic()
            try:
                answer = await ask(attempt.entry, backend)
            except UpstreamError as exc:
                call.waited_s += self.clocks.monotonic() - call.asked_s
                call.entry = None
                self.health.end(backend, exc)
                call.failures.append(exc)
                attempt = await self._next_attempt(call, plan, attempt.entry, exc)
                continue
            except BaseException:
                self.health.end(backend, "abandoned")
                raise
            call.waited_s += self.clocks.monotonic() - call.asked_s
            return answer, backend

    async def _next_attempt(
        self, call: Call, plan: AttemptPlan, entry: PoolEntry, failure: UpstreamError
    ) -> NextAttempt:
        left_s = call.deadline_s - self.clocks.monotonic()
        attempt = plan.after(entry, failure, self._begins, left_s=left_s)
        if attempt is not None and attempt.wait_s:
            await asyncio.sleep(attempt.wait_s)
            call.waited_s += attempt.wait_s
        if attempt is None or (attempt.wait_s and not self._begins(attempt.entry)):
            log.warning(
                "request_failed", decision_id=call.decision_id, attempts=len(call.failures), reason=str(failure)
            )
            status = (
                "rejected" if isinstance(failure, UpstreamStatusError) and failure.is_about_the_request else "failed"
            )
            self._conclude(call, status=status)
            raise AllBackendsFailedError(call.failures) from failure
        self.telemetry.fell_back(failed=failure.backend_id, to=_backend(attempt.entry).id, reason=failure.reason)
        return attempt

    def _begins(self, entry: PoolEntry) -> bool:
        return entry.backend is not None and self.health.begin(entry.backend)

    def _allowed(self, call: Call) -> list[PoolEntry]:
        """The ranking, as far as the caller lets it go: another backend of the same model is no other model."""
        entries = [call.decision.pool.entries[p] for p in call.decision.ranking]
        callable_here = [entry for entry in entries if entry.backend is not None]
        if call.options.allow_fallbacks and call.reading.target is None:
            return callable_here
        return [entry for entry in callable_here if entry.profile.id == entries[0].profile.id]

    def _upstream_call(self, call: Call, entry: PoolEntry, backend: Backend) -> UpstreamCall:
        reading = call.reading
        replacing = {"messages": reading.messages} if reading.messages is not None else None
        left_s = call.deadline_s - self.clocks.monotonic()
        return UpstreamCall(
            backend=backend,
            body=call.request.for_backend(
                backend.model_name, without=reading.consumed, replacing=replacing, recipient=entry
            ),
            path=call.request.path(entry),
            deadline_s=max(0.001, min(left_s, backend.limits.timeout_s)),
        )

    def _note_model(self, backend: Backend, returned: str | None) -> None:
        """A backend that answers in another model's name is an alarm; a dated version of the same one is not."""
        asked = backend.model_name
        if returned is None or returned == asked or returned.startswith(asked) or asked.endswith(returned):
            return
        self.telemetry.model_drifted(backend.id)
        log.warning("model_drifted", backend=backend.id, asked=asked, answered=returned[:100])

    def _account(self, call: Call, usage: Usage | None) -> None:
        call.cost_usd, call.usage = _cost_usd(call.entry, usage), usage
        entry = call.entry
        if entry is None:
            return
        self.telemetry.answered(
            model=entry.profile.id,
            usage=usage,
            cost_usd=call.cost_usd,
            predicted_usd=float(call.decision.forecast.cost_usd[call.decision.ranking[0]]),
            ttft_s=call.ttft_s,
        )

    def _record(self, call: Call) -> Mapping[str, object]:
        return decision_record(
            call.decision,
            decision_id=call.decision_id,
            time=self.clocks.wall(),
            tenant=call.standing.tenant,
            key_id=call.standing.key_id,
            session=call.standing.session_id or call.options.session_id,
            query=call.query,
            options=call.options,
            text=call.query.text,  # the journal keeps as much of it as the operator allows
            versions=call.serving.versions,
        )

    def _conclude(
        self,
        call: Call,
        *,
        status: str,
        usage: Usage | None = None,
        response_id: str | None = None,
        model_returned: str | None = None,
        finish_reason: str | None = None,
        tools_called: tuple[str, ...] = (),
    ) -> None:
        """Keep what became of the decision."""
        answered = call.entry.backend if call.entry is not None else None
        last = call.failures[-1] if call.failures else None
        ended_s = self.clocks.monotonic()
        self.journal.write(
            "outcome",
            {
                "decision_id": call.decision_id,
                "response_id": response_id,
                "time": self.clocks.wall(),
                "backend": answered.id if answered else last.backend_id if last else None,
                "model_returned": model_returned,
                "status": status,
                "usage": {name: getattr(usage, name) for name in _USAGE_FIELDS} if usage else None,
                "cost_usd": call.cost_usd,
                "ttft_s": call.ttft_s,
                "latency_s": ended_s - call.asked_s if call.asked_s else None,
                "total_s": ended_s - call.started_s,
                "finish_reason": finish_reason,
                "attempts": [{"backend": f.backend_id, "error": f.reason} for f in call.failures],
                "tools_offered": list(call.query.tool_names),
                "tools_called": list(tools_called),
                "error": last.reason if last and status != "ok" else None,
            },
        )


_USAGE_FIELDS = tuple(f.name for f in fields(Usage))
_NO_CONSTRAINTS = RoutingOptions().require


def _by_id(options: RoutingOptions, serving: Serving) -> RoutingOptions:
    """Lists of models by their catalog ids, as the router knows them; globs stay as they are."""

    def ids(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(serving.pool.ids[found[0]] if (found := serving.names.get(name)) else name for name in names)

    return replace(options, allow=ids(options.allow), deny=ids(options.deny), order=ids(options.order))


def _backend(entry: PoolEntry | None) -> Backend:
    if entry is None or entry.backend is None:
        raise AssertionError("only candidates with a backend are asked")
    return entry.backend


def _cost_usd(entry: PoolEntry | None, usage: Usage | None) -> float | None:
    price = entry.price if entry is not None else None
    return None if price is None or usage is None else float(price.cost_usd(usage))


async def _until_started(chunks: AsyncIterator[bytes], reader: ChatStream, backend: Backend) -> bytes:
    """What came until the first content: up to there, another backend can still take over."""
    held = []
    async for data in chunks:
        held.append(reader.take(data))
        if reader.fault is not None and not reader.started:
            raise UpstreamProtocolError(reader.fault, backend_id=backend.id)
        if reader.started or reader.done:
            return b"".join(held)
    held.append(reader.finish())
    if not reader.done:
        raise UpstreamProtocolError(reader.fault or "ended the stream", backend_id=backend.id)
    return b"".join(held)


async def _parts(opened: OpenStream) -> AsyncIterator[bytes]:
    """What the client gets, up to the end or the fault that the reader then knows of."""
    reader = opened.reader
    if opened.held:
        yield opened.held
    if reader.has_ended():
        return
    async for data in opened.chunks:
        if out := reader.take(data):
            yield out
        if reader.has_ended():
            return
    if out := reader.finish():
        yield out
