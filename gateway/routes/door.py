"""The hot doors, in plain ASGI: one that answers and one that only decides, in whatever protocol the client speaks.

In front of the framework rather than inside it: routing, middleware and body models would cost more CPU than the
decision does (`tests/benchmarks/bench_gateway.py` prints both).
"""

import asyncio
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import count

import structlog

from gateway.dispatch import Call, Dispatcher
from gateway.errors import OverloadedError, QuotaError
from gateway.governance.governor import Governor, Visit
from gateway.keys import ApiKey
from gateway.serving import Serving
from gateway.stored import ResponseHistory
from gateway.telemetry import Telemetry
from gateway.tools import Prepared, ToolDesk
from gateway.wire.answer import ChatAnswer
from gateway.wire.asgi import Receive, Scope, Send, cancelled_by_disconnect, read_body, read_headers
from gateway.wire.body import LARGE_BYTES, ChatRequest
from gateway.wire.dialect import Dialect
from router import NoEligibleModelError, Reading, SessionState

from .exchange import Exchange
from .pools import PoolShelf

__all__ = ["Admission", "AnswerDoor", "DecisionDoor", "RequestIds"]

log = structlog.get_logger(__name__)

_SANE_ID = re.compile(r"[\w.:/=+@-]{1,128}", re.ASCII)


class Admission:
    """How many requests all doors together have inside at once."""

    def __init__(self, telemetry: Telemetry, *, max_concurrency: int, stir: Callable[[], None]) -> None:
        """`stir` is called whenever one comes or goes."""
        self._max_concurrency, self._stir, self._inside = max_concurrency, stir, 0
        telemetry.watch(lambda: telemetry.inside(self._inside))

    def enter(self) -> None:
        """One more comes in; it must leave, whatever `check` says."""
        self._inside += 1
        self._stir()

    def check(self) -> None:
        """Is there a place for it.

        Raises:
            OverloadedError: there is not.
        """
        if self._inside > self._max_concurrency:
            raise OverloadedError(f"{self._max_concurrency} requests are being answered already; come back")

    def leave(self) -> None:
        """One has been answered."""
        self._inside -= 1
        self._stir()


class RequestIds:
    """The client's own id where it sent a sane one, else a number that is unique to this process."""

    def __init__(self) -> None:
        self._prefix, self._count = f"req_{os.urandom(8).hex()}", count(1)

    def __call__(self, headers: Mapping[str, str]) -> str:
        """The id of a request with these headers."""
        given = headers.get("x-request-id")
        if given is not None and _SANE_ID.fullmatch(given):
            return given
        return f"{self._prefix}{next(self._count):06x}"


class AnswerDoor:
    """Answers, or says why not."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        dialect: Dialect,
        *,
        pools: PoolShelf,
        admission: Admission,
        governor: Governor,
        max_body_bytes: int,
        serving_for: Callable[[ChatRequest, ApiKey | None], Serving] | None = None,
        tools: ToolDesk | None = None,
        history: ResponseHistory | None = None,
    ) -> None:
        """`serving_for` gives the candidates of a request where they are not those of the dispatcher.

        `history` is of a protocol whose answers may be stored.
        """
        self._dispatcher, self._dialect, self._pools, self._admission = dispatcher, dialect, pools, admission
        self._max_body_bytes, self._serving_for, self._governor = max_body_bytes, serving_for, governor
        self._tools, self._history = tools, history
        self._request_id = RequestIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        dispatcher = self._dispatcher
        started_s = dispatcher.clocks.monotonic()
        headers = read_headers(scope)
        exchange = Exchange(send, self._dialect, dispatcher, request_id=self._request_id(headers))
        if dispatcher.tracing is not None:
            exchange.trace = dispatcher.tracing.begin(self._dialect.door, headers)
        self._admission.enter()
        outcome = "cancelled"
        try:
            outcome = await exchange.attempt(self._answer(scope, receive, exchange, headers, started_s))
        finally:
            self._admission.leave()
            duration_s = dispatcher.clocks.monotonic() - started_s
            waited_s = exchange.call.waited_s + exchange.relayed_s if exchange.call else 0.0
            overhead_s = max(0.0, duration_s - waited_s)
            dispatcher.telemetry.request_ended(
                self._dialect.door, outcome, duration_s=duration_s, overhead_s=overhead_s
            )
            if exchange.trace is not None:
                exchange.trace.ended(outcome, duration_s=duration_s, overhead_s=overhead_s)

    async def _answer(
        self, scope: Scope, receive: Receive, exchange: Exchange, headers: Mapping[str, str], started_s: float
    ) -> None:
        dispatcher, governor = self._dispatcher, self._governor
        self._admission.check()
        key = governor.caller(headers)
        raw = await read_body(scope, receive, limit_bytes=self._max_body_bytes)
        if self._history is not None:
            raw = await self._history.continued(raw, key)
        read = self._dialect.read
        request = read(raw) if len(raw) <= LARGE_BYTES else await asyncio.to_thread(read, raw)
        exchange.wants_stream = request.stream
        serving = dispatcher.serving if self._serving_for is None else self._serving_for(request, key)
        reading = dispatcher.read_wishes(request, headers, serving, prompt_flags=governor.prompt_flags(key))
        protected = await governor.protected(key, request, reading)
        reading, exchange.redaction = protected.reading, protected.redaction
        if reading.options.route_only:
            decision = await _dry_decision(
                self._pools, self._tools, key, request, reading, headers=headers, started_s=started_s
            )
            await exchange.send_json(200, decision)
            return
        if self._history is not None:
            exchange.keeping = self._history.place_for(request, reading, key, protected=governor.protects(key))
        visit = await governor.enter(key, request, headers, reading, serving)
        exchange.limit_headers = visit.headers
        try:
            prepared = await _prepared(self._tools, key, request, visit.reading, visit.standing.session)
            request, visit.reading = prepared.request, prepared.reading
            before_s = dispatcher.clocks.monotonic()
            call = await self._decided(visit, request, headers, serving, started_s)
            exchange.call, call.tools = call, prepared.trail
            call.stored_as = exchange.keeping.response_id if exchange.keeping is not None else None
            if exchange.trace is not None:
                call.trace = exchange.trace
                call.trace.decided(call, duration_s=dispatcher.clocks.monotonic() - before_s)
            async with cancelled_by_disconnect(scope, receive):
                await self._hold(visit, call)
                if request.stream:
                    await exchange.stream(call, await dispatcher.open_stream(call))
                else:
                    answer = await dispatcher.complete(call)
                    if self._tools is not None and prepared.trail is not None:
                        ask = partial(self._ask_again, visit, headers=headers, serving=serving, started_s=started_s)
                        answer = await self._tools.mended(call, answer, prepared, ask=ask)
                    await governor.settled(visit, call)  # before the client, told so, asks again
                    await exchange.answer(call, answer)
        finally:
            governor.leave(visit, exchange.call)

    async def _hold(self, visit: Visit, call: Call) -> None:
        try:
            await self._governor.hold(visit, call)
        except QuotaError:
            self._dispatcher.refuse(call)
            raise

    async def _ask_again(
        self,
        visit: Visit,
        request: ChatRequest,
        *,
        backend_id: str,
        headers: Mapping[str, str],
        serving: Serving,
        started_s: float,
    ) -> tuple[Call, ChatAnswer]:
        """The same caller's further question, to one backend; a decision and an outcome of its own."""
        options = replace(visit.reading.options, explore=False)
        reading = replace(visit.reading, options=options, target=backend_id, messages=None)
        call = await self._dispatcher.decide(
            request, headers, started_s=started_s, serving=serving, reading=reading, standing=visit.standing
        )
        await self._hold(visit, call)
        return call, await self._dispatcher.complete(call)

    async def _decided(
        self, visit: Visit, request: ChatRequest, headers: Mapping[str, str], serving: Serving, started_s: float
    ) -> Call:
        """The decision, within what the caller may spend."""
        try:
            return await self._dispatcher.decide(
                request,
                headers,
                started_s=started_s,
                serving=serving,
                reading=visit.reading,
                standing=visit.standing,
            )
        except NoEligibleModelError as exc:
            if (beyond := self._governor.unaffordable(visit, exc)) is None:
                raise
            raise beyond from exc


class DecisionDoor:
    """Decides and calls nobody."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        dialect: Dialect,
        *,
        pools: PoolShelf,
        admission: Admission,
        governor: Governor,
        max_body_bytes: int,
        tools: ToolDesk | None = None,
        history: ResponseHistory | None = None,
    ) -> None:
        self._dispatcher, self._dialect, self._pools, self._tools = dispatcher, dialect, pools, tools
        self._admission, self._history = admission, history
        self._max_body_bytes, self._governor = max_body_bytes, governor
        self._request_id = RequestIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        started_s = self._dispatcher.clocks.monotonic()
        headers = read_headers(scope)
        exchange = Exchange(send, self._dialect, self._dispatcher, request_id=self._request_id(headers))
        self._admission.enter()
        try:
            await exchange.attempt(self._decide(scope, receive, exchange, headers, started_s))
        finally:
            self._admission.leave()

    async def _decide(
        self, scope: Scope, receive: Receive, exchange: Exchange, headers: Mapping[str, str], started_s: float
    ) -> None:
        self._admission.check()
        key = self._governor.caller(headers)
        raw = await read_body(scope, receive, limit_bytes=self._max_body_bytes)
        if self._history is not None:
            raw = await self._history.continued(raw, key)
        read = self._dialect.read
        request = read(raw) if len(raw) <= LARGE_BYTES else await asyncio.to_thread(read, raw)
        flags = self._governor.prompt_flags(key)
        reading = self._dispatcher.read_wishes(request, headers, self._dispatcher.serving, prompt_flags=flags)
        decision = await _dry_decision(
            self._pools, self._tools, key, request, reading, headers=headers, started_s=started_s
        )
        await exchange.send_json(200, decision)


async def _prepared(
    tools: ToolDesk | None,
    key: ApiKey | None,
    request: ChatRequest,
    reading: Reading,
    session: SessionState | None = None,
) -> Prepared:
    """The request with the tools that are sent on."""
    if tools is None:
        return Prepared(request=request, reading=reading)
    return await tools.prepare(request, reading, key=key, session=session)


async def _dry_decision(
    pools: PoolShelf,
    tools: ToolDesk | None,
    key: ApiKey | None,
    request: ChatRequest,
    reading: Reading,
    *,
    headers: Mapping[str, str],
    started_s: float,
) -> Mapping[str, object]:
    """The decision alone, about the request as it would be sent."""
    prepared = await _prepared(tools, key, request, reading)
    decision = await pools.decide(prepared.request, prepared.reading, headers, started_s=started_s)
    return decision if prepared.trail is None else {**decision, "tools": prepared.trail.facts()}
