"""Chat answers as backends give them, whole and streamed, for the tests of other dialects."""

from typing import Any

import orjson

from gateway.wire.answer import ChatAnswer, read_answer
from gateway.wire.dialect import Answering
from gateway.wire.messages.request import read_messages
from gateway.wire.responses.request import read_responses
from gateway.wire.stream import ChatStream

USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 3,
    "total_tokens": 13,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 1},
}


def tool_call(name: str, arguments: str, *, index: int | None = None, call_id: str = "call_1") -> dict[str, Any]:
    call: dict[str, Any] = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return call if index is None else {"index": index, **call}


def more_arguments(index: int, arguments: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}


def whole(message: dict[str, Any], finish: str = "stop", **choice: Any) -> ChatAnswer:
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "raw",
        "choices": [{"index": 0, "message": message, "finish_reason": finish, **choice}],
        "usage": USAGE,
    }
    return read_answer(orjson.dumps(body), backend_id="b")


def streamed(*deltas: Any, finish: str | None = "stop", **last: Any) -> bytes:
    """Chat's events, up to the end mark unless `finish` is None."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "maker/model"}
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    if finish is not None:
        chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish, **last}]})
        chunks.append({**head, "choices": [], "usage": USAGE, "routing": {"attempts": 1}})
    events = b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks)
    return events + b"data: [DONE]\n\n" if finish is not None else events


def a_reader() -> ChatStream:
    """What has read a backend's stream so far: nothing wrong."""
    return ChatStream(model_id="maker/model", wants_usage=True)


def events_in(stream: bytes) -> list[dict[str, Any]]:
    """Every event's data; its name must be its type."""
    found = []
    for event in stream.split(b"\n\n"):
        if not event or event.startswith(b":"):
            continue
        name, data = event.split(b"\n")
        body = orjson.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + body["type"].encode()
        found.append(body)
    return found


def asked_by_messages(**told: Any) -> Answering:
    said = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **told}
    return _answering(read_messages(orjson.dumps(said)))


def asked_by_responses(**told: Any) -> Answering:
    return _answering(read_responses(orjson.dumps({"model": "auto", "input": "hi", **told})))


def _answering(request: Any) -> Answering:
    return Answering(request=request, model_id="maker/model", maker="maker", created_s=7, answer_id="own-1")
