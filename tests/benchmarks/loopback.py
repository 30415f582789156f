"""Both ends of a gateway benchmark: a mock upstream that costs next to nothing, and a closed-loop load generator.

Both are plain asyncio protocols that write prepared bytes, so that what is measured is what stands between them.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle

import uvloop

__all__ = ["Measurement", "drive", "serve_mock"]

_EVENTS = 22
_ANSWER = json.dumps(
    {
        "id": "chatcmpl-mock",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "mock",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "word " * 40}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 40, "total_tokens": 60},
    }
).encode()
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: "
_WHOLE = _HEAD + b"application/json\r\ncontent-length: %d\r\n\r\n" % len(_ANSWER) + _ANSWER


def _chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    chunk = {
        "id": "chatcmpl-mock",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "mock",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    event = b"data: " + json.dumps(chunk).encode() + b"\n\n"
    return b"%x\r\n" % len(event) + event + b"\r\n"


_STREAM_HEAD = _HEAD + b"text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_STREAM = [_chunk({"role": "assistant", "content": ""})]
_STREAM += [_chunk({"content": "word "}) for _ in range(_EVENTS - 3)]
_STREAM += [_chunk({}, "stop"), b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"]


class _Mock(asyncio.Protocol):
    """Answers every request, after `delay_s`; a stream where the request asks for one, its chunks one by one."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            if len(self._buffer) < end + 4 + length:
                return
            body, self._buffer = self._buffer[end + 4 : end + 4 + length], self._buffer[end + 4 + length :]
            streamed = b'"stream":true' in body.replace(b" ", b"")
            if self._delay_s:
                asyncio.get_running_loop().call_later(self._delay_s, self._answer, streamed)
            else:
                self._answer(streamed)

    def _answer(self, streamed: bool) -> None:
        if self._transport.is_closing():
            return
        if not streamed:
            self._transport.write(_WHOLE)
            return
        self._transport.write(_STREAM_HEAD)
        for event in _STREAM:
            self._transport.write(event)


async def serve_mock(port: int, delay_s: float) -> None:
    """Listen until cancelled."""
    server = await asyncio.get_running_loop().create_server(lambda: _Mock(delay_s), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


@dataclass
class Measurement:
    """What a run of load saw."""

    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    first_byte_s: list[float] = field(default_factory=list)
    failures: int = 0

    @property
    def per_second(self) -> float:
        return len(self.latencies_s) / self.seconds

    def percentile_ms(self, share: float, *, first_byte: bool = False) -> float:
        values = sorted(self.first_byte_s if first_byte else self.latencies_s)
        return 1e3 * values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


class _Client(asyncio.Protocol):
    """One connection: sends the next request as soon as the answer to the last is complete."""

    def __init__(self, requests: Iterator[bytes], until: float, seen: Measurement, done: asyncio.Future[None]) -> None:
        self._requests, self._until, self._seen, self._done = requests, until, seen, done
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._seen.failures += 1
            self._done.set_result(None)

    def data_received(self, data: bytes) -> None:
        if not self._buffer:
            self._seen.first_byte_s.append(time.perf_counter() - self._sent)
        self._buffer += data
        if not self._complete():
            return
        now = time.perf_counter()
        if self._buffer[9:12] == b"200":
            self._seen.latencies_s.append(now - self._sent)
        else:
            self._seen.failures += 1
        self._buffer.clear()
        if now < self._until:
            self._send()
        else:
            self._done.set_result(None)
            self._transport.close()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(next(self._requests))

    def _complete(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._buffer[:end]).lower()
        if b"transfer-encoding: chunked" in head:
            return self._buffer.endswith(b"0\r\n\r\n")
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        return len(self._buffer) >= end + 4 + length


async def drive(
    port: int, path: str, bodies: Sequence[bytes], *, connections: int, seconds: float, spread_s: float = 0.0
) -> Measurement:
    """Closed-loop load: each connection has one request in flight, all the time; the bodies take turns.

    Connections come all at once, or one after the other over `spread_s`: before a slow upstream those that come
    together go on coming together, as clients that know nothing of each other do not.
    """
    requests = cycle([_request(path, body) for body in bodies])
    loop, seen = asyncio.get_running_loop(), Measurement()
    start = time.perf_counter()
    finished = []
    for _ in range(connections):
        done = loop.create_future()
        finished.append(done)
        await loop.create_connection(
            lambda done=done: _Client(requests, start + seconds, seen, done), "127.0.0.1", port
        )
        await asyncio.sleep(spread_s / connections)
    await asyncio.gather(*finished)
    seen.seconds = time.perf_counter() - start
    return seen


def _request(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


if __name__ == "__main__":
    uvloop.run(serve_mock(int(sys.argv[1]), float(sys.argv[2])))
