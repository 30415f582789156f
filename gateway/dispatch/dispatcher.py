"""What a door needs: read the wishes, decide, ask, and hand back what came. The steps are in the files beside this."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from itertools import count

import numpy as np
import structlog

from catalog import Backend, PoolEntry, Usage
from gateway.errors import InvalidRequestError, UpstreamError, UpstreamProtocolError
from gateway.journal.protocol import Journal
from gateway.serving import Serving
from gateway.standing import ANONYMOUS, Standing
from gateway.telemetry import Telemetry
from gateway.tracing import Tracing
from gateway.upstreams.health import Health
from gateway.upstreams.passing_on import carried_headers
from gateway.upstreams.protocol import Upstream
from gateway.wire.answer import ChatAnswer
from gateway.wire.body import LARGE_BYTES, ChatRequest
from gateway.wire.stream import ChatStream
from predictors import read_query
from router import Reading, read_options

from .accounts import Accounts, explanation, late_facts
from .asking import Asker, upstream_call
from .call import Call, Clocks, backend_of
from .choosing import Chooser
from .client_timeouts import read_client_timeouts
from .relaying import OpenStream, parts_of, until_started

__all__ = ["Dispatcher"]

log = structlog.get_logger(__name__)


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
        tracing: Tracing | None = None,
    ) -> None:
        """`upstreams` maps a backend's kind to the way it is called; `serving` may be swapped at any time."""
        self.serving, self.upstreams = serving, upstreams
        self.telemetry, self.health, self.clocks = telemetry, health, clocks
        self.request_timeout_s, self.prompt_flags, self.tracing = request_timeout_s, prompt_flags, tracing
        self._accounts = Accounts(journal=journal, telemetry=telemetry, clocks=clocks)
        self._chooser = Chooser(health=health, telemetry=telemetry, rng=rng)
        self._asker = Asker(health=health, telemetry=telemetry, accounts=self._accounts, clocks=clocks)
        self._id_prefix, self._id_count = f"dec_{os.urandom(8).hex()}", count(1)  # cheap, and unique to this process

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
            InvalidRequestError: only a backend could answer that speaks the client's protocol, and there is none.
        """
        if request.refusal is not None and not serving.speaks(str(request.protocol)):
            raise request.refusal
        return read_options(
            model=request.model,
            body=request.body,
            headers=headers,
            policies=serving.policies,
            allow_prompt_flags=self.prompt_flags if prompt_flags is None else prompt_flags,
        )

    async def decide(
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
            InvalidRequestError, InvalidRoutingError, NoEligibleModelError, UnknownModelError, JournalFullError.
        """
        serving = serving or self.serving
        reading = reading or self.read_wishes(request, headers, serving)
        timeouts = read_client_timeouts(headers)
        body = {**request.body, **reading.replaced} if reading.replaced else request.body
        is_large = len(request.raw) > LARGE_BYTES
        query = await asyncio.to_thread(read_query, body) if is_large else read_query(body)
        needed = request.protocol
        if needed is not None and (request.refusal is not None or serving.speaks(needed)):
            query = replace(query, needs=query.needs | {needed})
            if request.is_kept_there and reading.options.require.privacy == "no_retention":
                raise InvalidRequestError("store: must be false where nobody may retain the answer", param="store")
        before_s = self.clocks.monotonic()
        restricted = timeouts.restricted(reading, stream=request.stream, most_s=self.request_timeout_s)
        reading, decision = await self._chooser.choose(
            restricted, query, serving, standing=standing, dry_run=dry_run, otherwise=reading
        )
        call = Call(
            decision_id=f"{self._id_prefix}{next(self._id_count):06x}",
            request=request,
            reading=reading,
            query=query,
            decision=decision,
            serving=serving,
            started_s=started_s,
            deadline_s=started_s + min(self.request_timeout_s, timeouts.deadline_s(stream=request.stream)),
            silence_s=timeouts.silence_s,
            standing=standing,
            carried=carried_headers(headers),
        )
        if not dry_run:
            self._accounts.decided(call, duration_s=self.clocks.monotonic() - before_s)
        return call

    async def complete(self, call: Call) -> ChatAnswer:
        """The whole answer of the first backend that gives one.

        Raises:
            AllBackendsFailedError, OverloadedError.
        """

        async def ask(entry: PoolEntry, backend: Backend) -> ChatAnswer:
            asked = upstream_call(call, entry, backend, now_s=call.asked_s)
            call.asked_at(asked.path)
            raw = await self.upstreams[backend.kind].complete(asked)
            call.ttft_s = None
            if (restore := call.request.restorer(entry, asked.path)) is not None:
                raw = restore(raw)
            answer = call.request.read_answer(raw, backend_id=backend.id, path=asked.path)
            return answer if call.answer_id is None else replace(answer, response_id=call.answer_id)

        try:
            answer, backend = await self._asker.first_answer(call, ask)
        except (asyncio.CancelledError, InvalidRequestError) as exc:
            self._abandon(call, exc)
            raise
        self.health.end(backend, "answered")
        self._accounts.answered(call, backend, usage=answer.usage, model_returned=answer.model_returned)
        self._accounts.conclude(
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
            asked = upstream_call(call, entry, backend, now_s=call.asked_s)
            call.asked_at(asked.path)
            reader = call.request.reader(asked.path)(
                model_id=entry.profile.id,
                wants_usage=call.request.wants_usage,
                explain=call.options.explain,
                late_facts=lambda usage, returned: late_facts(call, usage, model_returned=returned),
                restore=call.request.restorer(entry, asked.path),
            )
            chunks = self.upstreams[backend.kind].stream(asked)
            try:
                held = await until_started(chunks, reader, backend)
            except BaseException:
                await chunks.aclose()
                raise
            call.ttft_s = self.clocks.monotonic() - call.asked_s
            return OpenStream(chunks=chunks, reader=reader, held=held)

        try:
            opened, _ = await self._asker.first_answer(call, ask)
        except (asyncio.CancelledError, InvalidRequestError) as exc:
            self._abandon(call, exc)
            raise
        return opened

    async def relay(self, call: Call, opened: OpenStream) -> AsyncGenerator[bytes, None]:
        """The stream's bytes; after a failure midway, an in-band error and no end mark."""
        backend, reader = backend_of(call.entry), opened.reader
        status = "cancelled"  # what holds when the client leaves before the end
        failure: UpstreamError | None = None
        try:
            async for part in parts_of(opened):
                yield part
            if reader.fault is None:
                status = "ok"
            else:
                failure = UpstreamProtocolError(reader.fault, backend_id=backend.id)
        except UpstreamError as exc:
            failure = exc
        finally:
            await opened.chunks.aclose()
            self._close(call, reader, backend, status=status, failure=failure)
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # its traceback leads back here, or only the garbage collector would let go of both

    def refuse(self, call: Call) -> None:
        """Nobody is asked, though it was decided who would be."""
        self._accounts.conclude(call, status="rejected")

    def explanation(self, call: Call) -> dict[str, object]:
        """Why, in the shape that callers read."""
        return explanation(call)

    def late_facts(self, call: Call, usage: Usage | None) -> dict[str, object]:
        """What is known after the call; with the explanation where the caller asked for it."""
        return late_facts(call, usage)

    def _abandon(self, call: Call, reason: asyncio.CancelledError | InvalidRequestError) -> None:
        self._accounts.conclude(call, status="rejected" if isinstance(reason, InvalidRequestError) else "cancelled")

    def _close(
        self, call: Call, reader: ChatStream, backend: Backend, *, status: str, failure: UpstreamError | None
    ) -> None:
        """Account for a stream that has ended, however it did."""
        self.health.end(backend, failure or ("answered" if status == "ok" else "abandoned"))
        if failure is not None:
            status = "failed"
            call.failures.append(failure)
            log.warning("stream_interrupted", decision_id=call.decision_id, backend=backend.id, reason=str(failure))
        self._accounts.answered(call, backend, usage=reader.usage, model_returned=reader.model_returned)
        self._accounts.conclude(
            call,
            status=status,
            usage=reader.usage,
            response_id=reader.response_id,
            model_returned=reader.model_returned,
            finish_reason=reader.finish_reason,
            tools_called=tuple(reader.tools_called),
        )
