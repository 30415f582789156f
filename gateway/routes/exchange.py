"""The client's side of one request: what it is told, in its own protocol."""

import asyncio
import math
from collections.abc import Awaitable, Mapping
from contextlib import aclosing
from functools import lru_cache

import structlog

from catalog import ParetoGateError
from gateway.dispatch import Call, Dispatcher, OpenStream
from gateway.errors import ErrorReply, OverloadedError, reply_to
from gateway.privacy import Redaction, StreamRestorer, restored_answer
from gateway.stored import Keeping
from gateway.tracebacks import forget_frames
from gateway.tracing import RequestTrace
from gateway.wire.answer import ChatAnswer
from gateway.wire.asgi import ClientGoneError, Headers, Send, send_bytes, send_json
from gateway.wire.dialect import Answering, Dialect, StreamTranslation
from gateway.wire.dropped_parameters import dropped_parameters

__all__ = ["Exchange"]

_STREAM: Headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]

_END_OF_GRACE = "graceful shutdown exceeded"  # as the server says when it cancels what is still being answered

log = structlog.get_logger(__name__)


class Exchange:
    """Answers one request, wholly or as a stream, or fails it in the only way that is left."""

    def __init__(self, send: Send, dialect: Dialect, dispatcher: Dispatcher, *, request_id: str) -> None:
        self.request_id = request_id
        self.call: Call | None = None
        self.wants_stream = False
        self.trace: RequestTrace | None = None
        self.limit_headers: Mapping[str, str] = {}  # what the caller may still ask for
        self.redaction: Redaction | None = None  # what the answer gets back
        self.keeping: Keeping | None = None  # where the answer is to be stored
        self.relayed_s = 0.0  # spent passing a stream on: not our overhead
        self._send, self._dialect, self._dispatcher = send, dialect, dispatcher
        self._streaming: StreamTranslation | None = None
        self._ids: Headers = [(name, request_id.encode()) for name in dialect.id_headers]

    async def send_json(self, status: int, value: Mapping[str, object], more: Headers | None = None) -> None:
        """A whole response."""
        await send_json(self._send, status, value, [*self._ids, *(more or [])])

    async def answer(self, call: Call, answer: ChatAnswer) -> None:
        """A whole answer, with the explanation where it was asked for."""
        routing = self._dispatcher.late_facts(call, answer.usage) if call.options.explain else None
        if self.redaction is not None:
            answer = restored_answer(answer, self.redaction, backend_id=call.decision_id)
        body = self._dialect.answer(answer, self._answering(call), routing)
        if self.keeping is not None and not await self.keeping.keep(body):
            self.keeping = None  # the answer says that it was not
            body = self._dialect.answer(answer, self._answering(call), routing)
        await send_bytes(self._send, 200, body, self._headers())

    async def stream(self, call: Call, opened: OpenStream) -> None:
        """Everything from the decision's headers to the last byte."""
        await self._send({"type": "http.response.start", "status": 200, "headers": [*_STREAM, *self._headers()]})
        self._streaming = self._dialect.stream(self._answering(call), opened.reader)
        take, clock = self._streaming.take, self._dispatcher.clocks.monotonic
        restore = StreamRestorer(self.redaction).take if self.redaction is not None else None
        began_s = clock()
        async with aclosing(self._dispatcher.relay(call, opened)) as parts:
            async for part in parts:
                if piece := take(part if restore is None else restore(part)):
                    if self.keeping is not None:
                        await self.keeping.keep_streamed(self._streaming)
                    await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        self.relayed_s = clock() - began_s
        await self._send({"type": "http.response.body", "body": b""})

    async def attempt(self, answering: Awaitable[None]) -> str:
        """Answer, or fail and say why; returns the outcome for the metrics."""
        try:
            await answering
        except ClientGoneError:
            return "cancelled"
        except asyncio.CancelledError as exc:
            if _END_OF_GRACE not in str(exc):
                raise
            return await self.fail(reply_to(OverloadedError("the gateway is stopping; ask again")))
        except ParetoGateError as exc:
            forget_frames(exc)  # the failure of a stream stays with its call
            return await self.fail(reply_to(exc))
        except Exception as exc:  # the last line: the client gets an answer, the operator the reason
            log.exception("request_crashed", request_id=self.request_id)
            return await self.fail(reply_to(exc))
        return "ok"

    async def fail(self, reply: ErrorReply) -> str:
        """Tell the client, in band where its stream has begun; returns the outcome for the metrics."""
        if self._streaming is not None:
            event = self._streaming.error(reply, request_id=self.request_id)
            await self._send({"type": "http.response.body", "body": event, "more_body": True})
            await self._send({"type": "http.response.body", "body": b""})
            return "interrupted"
        more: Headers = []
        if reply.retry_after_s is not None:
            more.append((b"retry-after", str(max(1, round(reply.retry_after_s))).encode()))
        more += [(name.encode(), value.encode()) for name, value in {**self.limit_headers, **reply.headers}.items()]
        if self.call is not None:
            more.append((b"x-paretogate-decision-id", self.call.decision_id.encode()))
        if self.wants_stream and (told := self._dialect.refused_stream(reply, request_id=self.request_id)) is not None:
            await self._send({"type": "http.response.start", "status": 200, "headers": [*_STREAM, *self._ids, *more]})
            await self._send({"type": "http.response.body", "body": told})
        else:
            await self.send_json(reply.status, self._dialect.error(reply, request_id=self.request_id), more)
        return reply.outcome

    def _answering(self, call: Call) -> Answering:
        profile = call.answered_by.profile
        return Answering(
            request=call.request,
            model_id=profile.id,
            maker=profile.owner,
            created_s=int(self._dispatcher.clocks.wall()),
            answer_id=call.answer_id or call.decision_id,
            stored_as=self.keeping.response_id if self.keeping is not None else None,
        )

    def _headers(self) -> Headers:
        """What is known of the decision and of the call so far."""
        found: Headers = [*self._ids]
        if self.limit_headers:
            found += [(name.encode(), value.encode()) for name, value in self.limit_headers.items()]
        call = self.call
        if call is None or call.entry is None or call.entry.backend is None:
            return found
        decision, position = call.decision, call.position
        overhead_ms = 1e3 * (self._dispatcher.clocks.monotonic() - call.started_s - call.waited_s)
        quality, cost_usd = decision.forecast.quality.item(position), decision.forecast.cost_usd.item(position)
        found += [
            (b"x-paretogate-decision-id", call.decision_id.encode()),
            (b"x-paretogate-model", _ascii(call.entry.profile.id)),
            (b"x-paretogate-backend", _ascii(call.entry.backend.id)),
            (b"x-paretogate-policy", _ascii(decision.policy)),
            (b"x-paretogate-reason", _ascii(decision.reason)),
            (b"x-paretogate-overhead-ms", b"%.2f" % overhead_ms),
            (b"x-paretogate-attempts", b"%d" % call.attempts),
        ]
        if not math.isnan(quality):
            found.append((b"x-paretogate-predicted-quality", b"%.4f" % quality))
        if not math.isnan(cost_usd):
            found.append((b"x-paretogate-predicted-cost-usd", b"%.8g" % cost_usd))
        if decision.relaxed is not None:
            found.append((b"x-paretogate-relaxed", _ascii(", ".join(decision.broken_by(call.entry.backend.id)))))
        if call.failures:
            failed = dict.fromkeys(failure.backend_id for failure in call.failures)
            found.append((b"x-paretogate-fallback-from", _ascii(", ".join(failed))))
        if names := dropped_parameters(call.request, call.entry):
            found.append((b"x-paretogate-left-out", _ascii(", ".join(names))))
        if call.tools is not None:
            found += [(name.encode(), _ascii(value)) for name, value in call.tools.headers().items()]
        if call.cost_usd is not None:
            found.append((b"x-paretogate-cost-usd", b"%.8g" % call.cost_usd))
        return found


@lru_cache(maxsize=1_024)  # the same few names again and again
def _ascii(value: str) -> bytes:
    if value.isascii() and value.isprintable():
        return value.encode()
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in value).encode()
