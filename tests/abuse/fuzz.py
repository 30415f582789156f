"""Throws odd bodies, headers, HTTP and streams at a running gateway, from both of its sides.

    python -m tests.abuse.fuzz --cases 20000

Every case must be answered in time, without a 5xx of our own (502, 503 and 504 are for backends that fail), without a
traceback, without anything crashing in the log, and a stream never ends clean where its backend's did not. A case is a
number: `--first N --cases 1` repeats it.
"""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from random import Random
from typing import Any, Self
from unittest.mock import patch

import structlog

from catalog import CAPABILITIES, Backend, Limits, ModelProfile, Pool, PoolEntry
from gateway.server.connection import ConnectionLimits
from gateway.serving import Serving
from gateway.upstreams.breaker import Breaker
from gateway.wire import asgi
from router import FixedForecasts, Router, forecast_of
from tests.gateway.abuse.raw import Reply, post, say
from tests.gateway.running import backend, running

from .drawing import (
    SOUND,
    bent_bytes,
    client_body,
    headers,
    message_answer,
    message_events,
    upstream_answer,
    upstream_events,
)

__all__ = ["Finding", "Report", "fuzz", "main"]

_STREAM_DOORS = ("/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/completions")
_ENDS = (b"data: [DONE]", b"event: message_stop", b"event: response.completed", b"event: response.incomplete")
_GOOD = {"id": "r", "object": "chat.completion", "created": 1, "model": "strong-raw"}
_GOOD_ANSWER = json.dumps(
    {**_GOOD, "choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}]}
).encode()
_GOOD_STREAM = (
    b"data: "
    + json.dumps({**_GOOD, "choices": [{"index": 0, "delta": {"content": "ok"}, "finish_reason": "stop"}]}).encode()
    + b"\n\ndata: [DONE]\n\n"
)
_GOOD_MESSAGE = json.dumps({"type": "message", "content": [{"type": "text", "text": "ok"}]}).encode()
_GOOD_EVENTS = b"".join(
    b"data: " + json.dumps(event).encode() + b"\n\n"
    for event in (
        {"type": "message_start", "message": {}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ok"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        {"type": "message_stop"},
    )
)
_GOOD_VECTORS = json.dumps(
    {"object": "list", "model": "embed-raw", "data": [{"index": 0, "embedding": [0.5]}]}
).encode()
_CASE = b"case-"
_WITHIN_S = 60.0
_ASKED = ("auto", "auto", "claude")  # whose backend speaks Anthropic's Messages


@dataclass(frozen=True)
class Finding:
    """A case that went wrong."""

    case: int
    kind: str
    problem: str
    sent: bytes
    reply: Reply | None


@dataclass
class Report:
    """What was thrown, what came back."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0
    slowest: tuple[float, int] = (0.0, -1)  # seconds, case


@dataclass(frozen=True)
class _Thrown:
    kind: str
    door: str
    sent: bytes
    from_upstream: bytes | None = None  # the whole HTTP response of the backend
    hangs: bool = False  # the backend then keeps the connection open


async def fuzz(*, cases: int, first: int = 0, at_once: int = 32) -> Report:
    """Throw `cases` cases, starting with number `first`."""
    report, crashes = Report(), _Crashes()
    began_s = time.perf_counter()
    numbers = iter(range(first, first + cases))
    with tempfile.TemporaryDirectory() as folder, crashes.watched(), _impatient():
        async with _Wild() as wild, _gateway(wild, Path(folder)) as url:

            async def work() -> None:
                for number in numbers:
                    await _throw(number, url, wild, report, crashes)

            await asyncio.gather(*(work() for _ in range(at_once)))
    report.seconds = time.perf_counter() - began_s
    report.findings += [Finding(-1, "log", crash, b"", None) for crash in crashes.seen]
    return report


async def _throw(number: int, url: str, wild: "_Wild", report: Report, crashes: "_Crashes") -> None:
    thrown = _drawn(number)
    wild.script[number] = thrown
    seen, began_s = len(crashes.seen), time.perf_counter()
    reply, problem = None, None
    try:
        reply = await say(url, thrown.sent, within_s=_WITHIN_S)
        problem = _judged(thrown, reply)
    except TimeoutError:
        problem = f"no answer within {_WITHIN_S:g} s"
    finally:
        del wild.script[number]
    report.slowest = max(report.slowest, (time.perf_counter() - began_s, number))
    report.answers[thrown.kind, reply.status if reply else -1] += 1
    if problem is None and len(crashes.seen) > seen:
        problem = f"about then: {crashes.seen.pop()}"
    if problem is not None:
        report.findings.append(Finding(number, thrown.kind, problem, thrown.sent, reply))


def _judged(thrown: _Thrown, reply: Reply) -> str | None:
    """What is wrong with an answer."""
    if reply.status == 0:
        return None if thrown.kind == "http" else "the connection ended without an answer"
    if b"Traceback (most" in reply.body or b'File "' in reply.body:
        return "a traceback"
    if reply.status >= 500:
        if thrown.from_upstream is None or reply.status not in {502, 503, 504}:
            return f"status {reply.status}"
        return None
    if reply.status == 200 and b"content-type: text/event-stream" in reply.head:
        ended = any(end in reply.body for end in _ENDS)
        failed = b'"error":{' in reply.body or b'"error": {' in reply.body
        if not ended and not failed:
            return "a stream that neither ended nor failed"
    elif reply.status >= 400 and reply.body:
        try:
            json.loads(reply.body)["error"]["message"]
        except (ValueError, KeyError, TypeError):
            return "an error that is not in the client's shape"
    return None


def _drawn(number: int) -> _Thrown:
    random = Random(number)
    match random.choices(("body", "headers", "http", "answer", "events"), (30, 10, 15, 15, 30))[0]:
        case "body":
            door, raw = client_body(random)
            return _Thrown("body", door, post(door, raw))
        case "headers":
            door = random.choice(list(SOUND))
            raw = json.dumps(SOUND[door]).encode()
            return _Thrown("headers", door, post(door, raw, *headers(random)))
        case "http":
            door = random.choice([*SOUND, "/v1/models", "/metrics", "/health", "/v1/models/auto", "/dashboard", "/"])
            sent = post(door, json.dumps(SOUND.get(door, {})).encode(), *headers(random))
            if door not in SOUND:
                sent = sent.replace(b"POST", b"GET", 1)
            return _Thrown("http", door, bent_bytes(sent, random))
        case "answer":
            door, model = random.choice(_STREAM_DOORS), random.choice(_ASKED)
            draw = message_answer if model == "claude" else upstream_answer
            sent = _asking(door, number, model=model, stream=False)
            return _Thrown("answer", door, sent, _response(random, draw(random), "json"))
        case _:
            door, model = random.choice(_STREAM_DOORS), random.choice(_ASKED)
            draw = message_events if model == "claude" else upstream_events
            response = _response(random, draw(random), "events")
            if hangs := random.random() < 0.03:  # midway: a whole answer would leave the connection for the next case
                response = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                part = draw(random)
                response += b"%x\r\n%s\r\n" % (len(part), part)
            return _Thrown("events", door, _asking(door, number, model=model, stream=True), response, hangs)


def _asking(door: str, number: int, *, model: str, stream: bool) -> bytes:
    """A sound request whose text names the case, so that the backend knows what to answer."""
    text = (_CASE + b"%d." % number).decode()
    asked: dict[str, Any] = {"model": model, "stream": stream}
    match door:
        case "/v1/responses":
            asked["input"] = text
        case "/v1/completions":
            asked["prompt"] = text
        case _:
            asked["messages"] = [{"role": "user", "content": text}]
            asked["max_tokens"] = 9
    return post(door, json.dumps(asked).encode())


def _response(random: Random, body: bytes, kind: str) -> bytes:
    """HTTP around a backend's answer, which may be odd as well."""
    typical = {"json": b"application/json", "events": b"text/event-stream"}[kind]
    content_type = random.choice((typical,) * 60 + (b"text/html", b"", b"application/octet-stream", b"\xff"))
    status = random.choice((200,) * 120 + (100, 101, 103, 199, 201, 204, 206, 301, 302, 304, 400, 401, 404, 413, 418,
        422, 429, 500, 503, 529, 599, 600, 999, 0))  # fmt: skip
    lines = [b"HTTP/1.1 %d Whatever" % status, b"content-type: " + content_type]
    if random.random() < 0.1:
        lines.append(b"retry-after: " + random.choice((b"0", b"-1", b"nan", b"inf", b"1e999", b"x", b"0.01", b"9" * 30,
            b"Wed, 21 Oct 2099 07:28:00 GMT", b"Wed, 99 Oct 2015 07:28:00 -0000")))  # fmt: skip
    if random.random() < 0.05:
        lines.append(random.choice((b"content-encoding: gzip", b"content-encoding: br", b"set-cookie: a=b", b"x: \xff",
            b"location: http://127.0.0.1:1/", b"connection: upgrade", b"x-long: " + b"y" * 20_000)))  # fmt: skip
    match random.randrange(8):
        case 0:
            lines.append(b"connection: close")
            framed = body
        case 1:
            lines.append(b"content-length: %d" % (len(body) + random.choice((0, 0, -1, 1, 1_000))))
            framed = body
        case _:
            lines.append(b"transfer-encoding: chunked")
            framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in _pieces(random, body)) + b"0\r\n\r\n"
    raw = b"\r\n".join([*lines, b"", b""]) + framed
    return bent_bytes(raw, random) if random.random() < 0.05 else raw


def _pieces(random: Random, body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        size = random.choice((1, 2, 7, 50, 500, 5_000))
        yield body[at : at + size]
        at += size


class _Wild:
    """A backend that answers whatever the case says, and soundly where it says nothing."""

    def __init__(self) -> None:
        self.script: dict[int, _Thrown] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.partition(b":")[2])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length")
            )
            body = await reader.readexactly(length)
            thrown = self._of(body)
            if thrown is not None and thrown.from_upstream is not None:
                writer.write(thrown.from_upstream)
                await writer.drain()
                if thrown.hangs:
                    await reader.read()
            else:
                streams = b'"stream":true' in body or b'"stream": true' in body
                content_type = b"text/event-stream" if streams else b"application/json"
                content = _good(head, streams=streams)
                writer.write(
                    b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n%s"
                    % (content_type, len(content), content)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _of(self, body: bytes) -> _Thrown | None:
        _, found, after = body.partition(_CASE)
        number = after.partition(b".")[0]
        return self.script.get(int(number)) if found and number.isdigit() and len(number) < 12 else None


def _good(head: bytes, *, streams: bool) -> bytes:
    """A sound answer at this address."""
    if b"/messages" in head:
        return _GOOD_EVENTS if streams else _GOOD_MESSAGE
    return _GOOD_STREAM if streams else _GOOD_VECTORS if b"/embeddings" in head else _GOOD_ANSWER


@asynccontextmanager
async def _gateway(wild: _Wild, folder: Path) -> AsyncIterator[str]:
    limits = Limits(timeout_s=5.0, first_token_timeout_s=5.0, stall_timeout_s=2.0)
    backends = [backend(name, wild.url, limits=limits) for name in ("strong", "cheap")]
    backends.append(replace(backends[0], id="embed", profile_id="maker/embed", model_name="embed-raw"))
    backends.append(replace(backends[0], id="claude", profile_id="anthropic/claude", kind="anthropic"))
    patience = ConnectionLimits(head_timeout_s=3.0, linger_s=1.0, write_timeout_s=5.0)
    async with running(*backends, tmp_path=folder, limits=patience, make_serving=_able) as gateway:
        yield gateway.url


def _able(backends: tuple[Backend, ...], *, also: tuple[str, ...] = ()) -> Serving:
    """Models that can do whatever is asked of them, so that much gets past the first checks."""
    entries = [PoolEntry(profile=_profile(b), backend=b) for b in backends]
    pool = Pool(entries)
    forecast = forecast_of(pool, quality=0.5, cost_usd=0.01, latency_s=1.0, ttft_s=0.5, output_tokens=10.0)
    source = FixedForecasts(pool=pool, fixed=forecast)
    policies = frozenset({"best", "balanced", "cheap"})
    return Serving.of(source=source, router=Router(source), policies=policies, versions={"catalog": "fuzz"})


def _profile(of: Backend) -> ModelProfile:
    kinds = frozenset({"embedding"}) if of.id == "embed" else frozenset({"text"})
    return ModelProfile(
        id=of.profile_id,
        name=of.id,
        context_tokens=100_000,
        capabilities=CAPABILITIES,
        modalities_out=kinds,
        released=date(2025, 1, 1),
    )


@contextmanager
def _impatient() -> Iterator[None]:
    """Bodies that never come are given a second; and no breaker spares a backend that has earned it."""
    with patch.object(asgi, "_BODY_TIMEOUT_S", 1.0), patch.object(Breaker, "fail", lambda *_, **__: None):
        yield


class _Crashes(logging.Handler):
    """Everything that is logged as crashed, by us, by the server or by the event loop."""

    def __init__(self) -> None:
        super().__init__(level=logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(f"{record.name}: {self.format(record)}")

    @contextmanager
    def watched(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.seen.append(f"event loop: {context}"))
        before = structlog.get_config()
        structlog.configure(processors=[structlog.processors.format_exc_info, self._note])
        logging.getLogger().addHandler(self)
        logging.getLogger("uvicorn.error").addHandler(self)
        try:
            yield
        finally:
            logging.getLogger("uvicorn.error").removeHandler(self)
            logging.getLogger().removeHandler(self)
            structlog.configure(**before)
            loop.set_exception_handler(None)

    def _note(self, _: object, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        if method in {"error", "exception", "critical"}:
            self.seen.append(f"{event.get('event')}: {event.get('exception')}")
        raise structlog.DropEvent


def main() -> int:
    """Exit 0 where nothing went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.abuse.fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cases", type=int, default=2_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=32)
    args = parser.parse_args()
    report = asyncio.run(fuzz(cases=args.cases, first=args.first, at_once=args.at_once))
    sys.stdout.write("\n".join(_told(report, args.cases)) + "\n")
    return 1 if report.findings else 0


def _told(report: Report, cases: int) -> Iterator[str]:
    for finding in report.findings[:20]:
        yield f"case {finding.case} ({finding.kind}): {finding.problem}\n  sent {finding.sent[:600]!r}"
        if finding.reply is not None:
            yield f"  got {finding.reply.status} {finding.reply.body[:400]!r}"
    for kind in sorted({kind for kind, _ in report.answers}):
        statuses = {status: n for (k, status), n in sorted(report.answers.items()) if k == kind}
        yield f"{kind:8} " + "  ".join(f"{status}: {n}" for status, n in statuses.items())
    yield "slowest: {:.1f} s, case {}".format(*report.slowest)
    yield f"{cases} cases in {report.seconds:.0f} s, {len(report.findings)} findings"


if __name__ == "__main__":
    raise SystemExit(main())
