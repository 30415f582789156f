"""`POST /v1/chat/completions` and `POST /routing/v1/chat/completions`: the hot doors, in plain ASGI.

In front of the framework rather than inside it: routing, middleware and body models would cost more CPU than the
decision does (`tests/benchmarks/bench_gateway.py` prints both).
"""

import os
import re
from collections.abc import Mapping
from contextlib import aclosing
from itertools import count

import structlog

from catalog import ParetoGateError
from gateway.dispatch import Call, Dispatcher, OpenStream
from gateway.errors import ErrorReply, OverloadedError, openai_error, reply_to
from gateway.wire.asgi import (
    ClientGoneError,
    Headers,
    Receive,
    Scope,
    Send,
    cancelled_by_disconnect,
    read_body,
    read_headers,
    send_bytes,
    send_json,
)
from gateway.wire.body import read_chat

from .pools import PoolShelf

__all__ = ["ChatDoor", "DecisionDoor"]

log = structlog.get_logger(__name__)

_SANE_ID = re.compile(r"[\w.:/=+@-]{1,128}")


class ChatDoor:
    """Answers, or says why not."""

    def __init__(
        self, dispatcher: Dispatcher, *, pools: PoolShelf, max_body_bytes: int, max_concurrency: int, door: str = "chat"
    ) -> None:
        self._dispatcher, self._pools, self._door = dispatcher, pools, door
        self._max_body_bytes, self._max_concurrency = max_body_bytes, max_concurrency
        self._in_flight = 0
        self._request_id = _RequestIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        dispatcher = self._dispatcher
        started_s = dispatcher.clocks.monotonic()
        headers = read_headers(scope)
        exchange = _Exchange(send, self._request_id(headers))
        self._in_flight += 1
        dispatcher.telemetry.in_flight.set(self._in_flight)
        outcome = "ok"
        try:
            self._admit()
            await self._answer(scope, receive, exchange, headers, started_s)
        except ClientGoneError:
            outcome = "cancelled"
        except ParetoGateError as exc:
            outcome = await exchange.fail(reply_to(exc))
        except Exception as exc:  # the last line: the client gets an answer, the operator the reason
            log.exception("request_crashed", request_id=exchange.request_id)
            outcome = await exchange.fail(reply_to(exc))
        finally:
            self._in_flight -= 1
            duration_s = dispatcher.clocks.monotonic() - started_s
            waited_s = exchange.call.waited_s + exchange.relayed_s if exchange.call else 0.0
            dispatcher.telemetry.request_ended(
                self._door, outcome, duration_s=duration_s, overhead_s=max(0.0, duration_s - waited_s)
            )

    def _admit(self) -> None:
        if self._in_flight > self._max_concurrency:
            raise OverloadedError(f"{self._max_concurrency} requests are being answered already; come back")

    async def _answer(
        self, scope: Scope, receive: Receive, exchange: "_Exchange", headers: Mapping[str, str], started_s: float
    ) -> None:
        dispatcher = self._dispatcher
        request = read_chat(await read_body(scope, receive, limit_bytes=self._max_body_bytes))
        reading = dispatcher.read_wishes(request, headers, dispatcher.serving)
        if reading.options.route_only:
            await exchange.send_json(200, await self._pools.decide(request, reading, headers, started_s=started_s))
            return
        call = dispatcher.decide(request, headers, started_s=started_s, reading=reading)
        exchange.call = call
        async with cancelled_by_disconnect(receive):
            if request.stream:
                await exchange.stream(dispatcher, call, await dispatcher.open_stream(call))
            else:
                answer = await dispatcher.complete(call)
                routing = dispatcher.late_facts(call, answer.usage) if call.options.explain else None
                body = answer.for_client(call.answered_by.profile.id, routing)
                await send_bytes(exchange.send, 200, body, exchange.headers(dispatcher))


class DecisionDoor:
    """Decides and calls nobody."""

    def __init__(self, dispatcher: Dispatcher, *, pools: PoolShelf, max_body_bytes: int) -> None:
        self._dispatcher, self._pools, self._max_body_bytes = dispatcher, pools, max_body_bytes
        self._request_id = _RequestIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        started_s = self._dispatcher.clocks.monotonic()
        headers = read_headers(scope)
        exchange = _Exchange(send, self._request_id(headers))
        try:
            request = read_chat(await read_body(scope, receive, limit_bytes=self._max_body_bytes))
            reading = self._dispatcher.read_wishes(request, headers, self._dispatcher.serving)
            await exchange.send_json(200, await self._pools.decide(request, reading, headers, started_s=started_s))
        except ClientGoneError:
            return
        except ParetoGateError as exc:
            await exchange.fail(reply_to(exc))
        except Exception as exc:  # as above
            log.exception("request_crashed", request_id=exchange.request_id)
            await exchange.fail(reply_to(exc))


class _Exchange:
    """The client's side of one request."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.send, self.request_id = send, request_id
        self.call: Call | None = None
        self.relayed_s = 0.0
        self._streaming: OpenStream | None = None

    def headers(self, dispatcher: Dispatcher) -> Headers:
        """What is known of the decision and of the call so far."""
        found: Headers = [(b"x-request-id", self.request_id.encode())]
        call = self.call
        if call is None or call.entry is None or call.entry.backend is None:
            return found
        decision, chosen = call.decision, call.decision.ranking[0]
        overhead_ms = 1e3 * (dispatcher.clocks.monotonic() - call.started_s - call.waited_s)
        facts = [
            (b"decision-id", call.decision_id),
            (b"model", call.entry.profile.id),
            (b"backend", call.entry.backend.id),
            (b"policy", decision.policy),
            (b"reason", decision.reason),
            (b"predicted-quality", f"{decision.forecast.quality[chosen]:.4f}"),
            (b"predicted-cost-usd", f"{decision.forecast.cost_usd[chosen]:.8g}"),
            (b"overhead-ms", f"{overhead_ms:.2f}"),
            (b"attempts", str(call.attempts)),
        ]
        if call.failures:
            facts.append((b"fallback-from", ", ".join(dict.fromkeys(f.backend_id for f in call.failures))))
        if call.cost_usd is not None:
            facts.append((b"cost-usd", f"{call.cost_usd:.8g}"))
        found += [(b"x-paretogate-" + name, _ascii(value)) for name, value in facts if value != "nan"]
        return found

    async def send_json(self, status: int, value: Mapping[str, object], more: Headers | None = None) -> None:
        """A whole response."""
        await send_json(self.send, status, value, [(b"x-request-id", self.request_id.encode()), *(more or [])])

    async def stream(self, dispatcher: Dispatcher, call: Call, opened: OpenStream) -> None:
        """Everything from the decision's headers to the last byte."""
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
        start = {"type": "http.response.start", "status": 200, "headers": headers + self.headers(dispatcher)}
        await self.send(start)
        self._streaming = opened
        began_s = dispatcher.clocks.monotonic()
        async with aclosing(dispatcher.relay(call, opened)) as parts:
            async for part in parts:
                await self.send({"type": "http.response.body", "body": part, "more_body": True})
        self.relayed_s = dispatcher.clocks.monotonic() - began_s
        await self.send({"type": "http.response.body", "body": b""})

    async def fail(self, reply: ErrorReply) -> str:
        """Tell the client, in the only way that is left; returns the outcome for the metrics."""
        if self._streaming is not None:
            event = self._streaming.reader.error_event(openai_error(reply))
            await self.send({"type": "http.response.body", "body": event, "more_body": True})
            await self.send({"type": "http.response.body", "body": b""})
            return "interrupted"
        more: Headers = []
        if reply.retry_after_s is not None:
            more.append((b"retry-after", str(max(1, round(reply.retry_after_s))).encode()))
        if self.call is not None:
            more.append((b"x-paretogate-decision-id", self.call.decision_id.encode()))
        await self.send_json(reply.status, openai_error(reply), more)
        return reply.code


class _RequestIds:
    """The client's own id where it sent a sane one, else a number that is unique to this process."""

    def __init__(self) -> None:
        self._prefix, self._count = f"req_{os.urandom(8).hex()}", count(1)

    def __call__(self, headers: Mapping[str, str]) -> str:
        given = headers.get("x-request-id")
        if given is not None and _SANE_ID.fullmatch(given):
            return given
        return f"{self._prefix}{next(self._count):06x}"


def _ascii(value: str) -> bytes:
    return value.encode("ascii", "replace").replace(b"\n", b" ").replace(b"\r", b" ")
