"""Anthropic's events as chunks of a chat completion, one for one while they arrive."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from gateway.errors import UpstreamProtocolError
from gateway.wire.answer_ids import chat_id

from .answer import JSON_TOOL, finish_of
from .events import fault_of, merged, read_event
from .usage import chat_usage

__all__ = ["ChunkWriter"]

_MAX_EVENT_BYTES = 16 << 20
_BROKEN = "sent a malformed event"


class ChunkWriter:
    """Of one stream: bytes in, bytes out. Events end with a blank line, wherever the bytes are cut."""

    def __init__(self, *, backend_id: str) -> None:
        self._backend_id = backend_id
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._seam = b""
        self._head: dict[str, Any] = {"id": None, "object": "chat.completion.chunk", "created": int(time.time())}
        self._counts: object = None
        self._calls: dict[object, int] = {}  # index of a block -> of a call
        self._unsaid: dict[object, object] = {}  # index of a call's block of whose input no piece has come -> its input
        self._answers: set[object] = set()  # blocks that call our own tool
        self._stops: dict[str, Any] = {}
        self._begun = self._ended = False
        self.fault: UpstreamProtocolError | None = None  # after which nothing comes

    def take(self, data: bytes) -> bytes:
        """The chunks for these bytes, up to the first event that is malformed or reports an error: see `fault`."""
        data = data.replace(b"\r", b"")
        seam = self._seam + data
        self._held.append(data)
        self._held_bytes += len(data)
        self._seam = seam[-1:]
        if b"\n\n" not in seam:  # a long event is put together once, not at each piece
            if self._held_bytes > _MAX_EVENT_BYTES:
                self.fault = self._broken(f"sent an event larger than {_MAX_EVENT_BYTES} bytes")
            return b""
        *events, rest = b"".join(self._held).split(b"\n\n")
        self._held, self._held_bytes, self._seam = [rest], len(rest), rest[-1:]
        chunks: list[bytes] = []
        try:
            for event in events:
                chunks += self._event(event)
        except UpstreamProtocolError as exc:
            self.fault = exc
        return b"".join(chunks)

    def finish(self) -> bytes:
        """What a last event says after which no blank line came; an end mark that is missing is supplied."""
        out = self.take(b"\n\n")
        if self._ended or self.fault is not None or not self._begun or "stop_reason" not in self._stops:
            return out
        return out + b"".join(self._end())

    def _event(self, event: bytes) -> Iterator[bytes]:
        data = read_event(event)
        if data is None:
            raise self._broken(_BROKEN)
        match data.get("type"):
            case "message_start":
                yield self._begin(self._object(data, "message"))
            case "content_block_start":
                yield from self._open(data.get("index"), self._object(data, "content_block"))
            case "content_block_delta":
                yield from self._add(data.get("index"), self._object(data, "delta"))
            case "content_block_stop":
                yield from self._close(data.get("index"))
            case "message_delta":
                self._counts = merged(self._counts, data.get("usage"))
                self._stops |= {key: value for key, value in self._object(data, "delta").items() if value is not None}
            case "message_stop":
                yield from self._end()
            case "error":
                raise self._broken(fault_of(data))
            case "ping":
                yield b": waiting\n\n"

    def _begin(self, message: Mapping[str, Any]) -> bytes:
        self._begun = True
        self._head |= {"id": chat_id(message.get("id")), "model": message.get("model")}
        self._counts = message.get("usage")
        return self._chunk({"role": "assistant", "content": ""})

    def _open(self, index: object, block: Mapping[str, Any]) -> Iterator[bytes]:
        match block.get("type"):
            case "tool_use" if block.get("name") == JSON_TOOL:
                self._answers.add(_key(index))
            case "tool_use":
                place = self._calls.setdefault(_key(index), len(self._calls))
                self._unsaid[_key(index)] = block.get("input")
                function = {"name": str(block.get("name") or ""), "arguments": ""}
                call = {"index": place, "id": str(block.get("id") or ""), "type": "function", "function": function}
                yield self._chunk({"tool_calls": [call]})
            case "redacted_thinking":
                yield self._chunk({"thinking_blocks": [block]})
            case "text" if block.get("text"):
                yield self._chunk({"content": str(block["text"])})

    def _add(self, index: object, delta: Mapping[str, Any]) -> Iterator[bytes]:
        match delta.get("type"):
            case "text_delta":
                yield self._chunk({"content": str(delta.get("text") or "")})
            case "thinking_delta":
                thought = str(delta.get("thinking") or "")
                blocks = [{"type": "thinking", "thinking": thought}]
                yield self._chunk({"reasoning_content": thought, "thinking_blocks": blocks})
            case "signature_delta":
                signed = {"type": "thinking", "thinking": "", "signature": delta.get("signature")}
                yield self._chunk({"thinking_blocks": [signed]})
            case "input_json_delta" if _key(index) in self._answers:
                yield self._chunk({"content": str(delta.get("partial_json") or "")})
            case "input_json_delta" if _key(index) in self._calls and delta.get("partial_json"):
                self._unsaid.pop(_key(index), None)
                yield self._arguments(_key(index), str(delta["partial_json"]))

    def _close(self, index: object) -> Iterator[bytes]:
        """A tool without parameters is called without a piece of input; chat's arguments are an object all the same."""
        if (key := _key(index)) in self._unsaid:
            given = self._unsaid.pop(key)
            yield self._arguments(key, orjson.dumps(given if isinstance(given, dict) else {}).decode())

    def _arguments(self, key: object, text: str) -> bytes:
        return self._chunk({"tool_calls": [{"index": self._calls[key], "function": {"arguments": text}}]})

    def _end(self) -> Iterator[bytes]:
        if not self._begun:
            raise self._broken("ended the stream without an answer")
        self._ended = True
        finish = finish_of(self._stops.get("stop_reason"), {"tool_calls": self._calls})
        choice: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": finish}
        if self._stops.get("stop_sequence") is not None:
            choice["stop_reason"] = self._stops["stop_sequence"]
        yield _data({**self._head, "choices": [choice]})
        yield _data({**self._head, "choices": [], "usage": chat_usage(self._counts)})
        yield b"data: [DONE]\n\n"

    def _chunk(self, delta: Mapping[str, Any]) -> bytes:
        return _data({**self._head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})

    def _object(self, data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        found = data.get(name)
        if not isinstance(found, dict):
            raise self._broken(_BROKEN)
        return found

    def _broken(self, problem: str) -> UpstreamProtocolError:
        return UpstreamProtocolError(problem, backend_id=self._backend_id)


def _key(index: object) -> object:
    return index if isinstance(index, int) else None


def _data(chunk: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"
