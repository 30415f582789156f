"""Where odd requests and answers come from: sound ones, bent a little or a lot, always the same for the same seed."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

__all__ = [
    "bent_bytes",
    "bent_json",
    "client_body",
    "headers",
    "message_answer",
    "message_events",
    "upstream_answer",
    "upstream_events",
]

_HI = [{"role": "user", "content": "hi"}]
_TOOL = {
    "name": "f",
    "description": "does it",
    "parameters": {"type": "object", "properties": {"x": {"type": "string"}}},
}
_ROUTING = {
    "policy": "balanced",
    "cost_quality_tradeoff": 5,
    "weights": {"latency": 0.1},
    "require": {"max_cost_usd": 1.0, "max_ttft_s": 9.0, "capabilities": ["streaming"], "released_after": "2024-01-01"},
    "models": {"allow": ["maker/*"], "deny": ["x/*"]},
    "on_infeasible": "closest",
    "allow_fallbacks": True,
    "explain": True,
    "session_id": "s",
}
_TURNS: list[dict[str, Any]] = [
    {"role": "system", "content": "be brief"},
    {
        "role": "user",
        "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:,"}}],
    },
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": "1"}'}}],
        "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "pg1.e30="}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "done"},
]
SOUND: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        "model": "auto",
        "messages": [*_TURNS, *_HI],
        "temperature": 0.5,
        "max_tokens": 9,
        "tools": [{"type": "function", "function": _TOOL}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}},
        "stream_options": {"include_usage": True},
        "logprobs": True,
        "provider": {"ignore": ["nobody"], "max_price": {"prompt": 50}},
        "routing": _ROUTING,
    },
    "/v1/messages": {
        "model": "auto:cheap",
        "max_tokens": 9,
        "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            *_HI,
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "abc"},
                    {"type": "tool_use", "id": "c1", "name": "f", "input": {"x": "1"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "ok"}]},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                ],
            },
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "metadata": {"user_id": "u"},
        "routing": _ROUTING,
    },
    "/v1/responses": {
        "model": "maker/cheap:floor",
        "instructions": "be brief",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            {"type": "reasoning", "summary": [], "encrypted_content": "pg1.e30="},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "4"},
        ],
        "tools": [{"type": "function", **_TOOL}],
        "include": ["reasoning.encrypted_content"],
        "text": {"format": {"type": "text"}},
        "reasoning": {"effort": "low"},
        "store": True,
        "previous_response_id": None,
        "routing": _ROUTING,
    },
    "/v1/completions": {"model": "auto", "prompt": "once upon", "max_tokens": 9, "n": 1, "routing": _ROUTING},
    "/v1/embeddings": {"model": "auto", "input": ["a", "b"], "encoding_format": "float"},
    "/v1/messages/count_tokens": {"model": "auto", "messages": _HI, "system": "x"},
    "/routing/v1/chat/completions": {"model": "auto", "messages": _HI, "routing": _ROUTING},
    "/routing/v1/messages": {"model": "auto", "max_tokens": 9, "messages": _HI, "routing": _ROUTING},
    "/routing/v1/responses": {"model": "auto", "input": "hi", "routing": _ROUTING},
    "/routing/v1/completions": {"model": "auto", "prompt": "hi", "routing": _ROUTING},
    "/v1/feedback": {"decision_id": "dec_1", "metric": "quality", "value": 0.5, "tags": {"a": "b"}, "source": "me"},
    "/v1/router/outcomes": {"response_id": "r", "verdict": "good_fit", "score": 0.5, "reason": "so"},
}

_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 0.5, -0.0, 1e308, -1e308, 5e-324, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63), 10**30,
    "", " ", "auto", "auto:", ":nitro", "*", "[", "maker/*", "cheap", "best", "x" * 5_000, "\x00", "\ud800", "\udfff",
    "\u202e", "🦆" * 50, "\r\nx-evil: 1", "../../etc/passwd", "' OR 1=1 --", "{{7*7}}", "${jndi:ldap://x}", "%s%n",
    "NaN",    "2024-13-45", "9999-12-31", "data:image/png;base64,", "pg1.", "pg1.e30=", "pg1.eyJhdXRob3IiOjF9",
    "[Flag: cheapest]",
    [], {}, [[]], [None], [{}], {"": ""}, {"type": None}, {"type": "text"}, {"a": {"b": {"c": []}}}, [1, "a", None, {}],
    {"$ref": "#"}, ["x"] * 200,
)  # fmt: skip
_NAMES = """
    model messages role content type text tools tool_calls function arguments name id usage choices delta index routing
    require policy weights models allow deny stream n seed logprobs metadata error finish_reason thinking signature
    """.split()  # noqa: SIM905 - a list would be a page


def bent_json(value: Any, random: Random, *, times: int = 3) -> Any:
    """The same with some of its values replaced, taken out, doubled, wrapped or given other names."""
    for _ in range(random.randint(1, times)):
        value = _bent_once(value, random, depth=random.randint(0, 6))
    return value


def bent_bytes(raw: bytes, random: Random) -> bytes:
    """The same with some bytes flipped, cut, doubled or put in between."""
    data = bytearray(raw)
    for _ in range(random.choice((1, 1, 2, 5, 20))):
        at = random.randint(0, max(0, len(data) - 1))
        match random.randrange(6):
            case 0 if data:
                data[at] = random.randrange(256)
            case 1:
                data[at:at] = random.choice(_BYTES)
            case 2:
                del data[at : at + random.randint(1, 20)]
            case 3:
                data[at:at] = data[at : at + random.randint(1, 60)]
            case 4:
                del data[at:]
            case _:
                data[at:at] = random.randbytes(random.randint(1, 8))
    return bytes(data)


_BYTES = (b"\x00", b"\xff", b"\r\n", b"\n\n", b"\r", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\u0000",
    b"\\ud800", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"data: ", b"[DONE]", b"\x1b[31m", b"9" * 400, b"e999", b"NaN",
    b"[" * 2_000)  # fmt: skip


def client_body(random: Random) -> tuple[str, bytes]:
    """A door, and something that resembles a request to it."""
    door = random.choice(list(SOUND))
    sound = dict(SOUND[door])
    for name in list(sound):
        if name not in {"messages", "input", "prompt", "max_tokens", "decision_id", "value"} and random.random() < 0.6:
            del sound[name]
    if random.random() < 0.3 and "feedback" not in door:
        sound["stream"] = True
    if random.random() < 0.05:
        sound = random.choice(list(SOUND.values()))
    bent = bent_json(sound, random, times=random.choice((1, 1, 3))) if random.random() < 0.9 else sound
    raw = json.dumps(bent, ensure_ascii=random.random() < 0.7).encode("utf-8", "surrogatepass")
    return door, bent_bytes(raw, random) if random.random() < 0.2 else raw


_HEADERS = """
    x-paretogate-policy x-paretogate-require x-paretogate-route-only x-paretogate-explain x-session-id
    x-conversation-id x-claude-code-session-id x-model-affinity x-request-id traceparent tracestate authorization
    x-request-timeout grpc-timeout x-stainless-timeout x-stainless-read-timeout
    x-api-key anthropic-version anthropic-beta openai-beta openai-organization accept accept-encoding content-type
    content-encoding idempotency-key cookie host origin forwarded x-forwarded-for range expect te upgrade connection
    """.split()  # noqa: SIM905 - as above
_HEADER_VALUES = (
    b"", b" ", b"cheap", b"max_cost_usd=0.002; max_ttft_s=1", b"max_cost_usd=", b"=;=;=", b";" * 500, b"a=b=c",
    b"\xff\xfe",
    b"\xe2\x82\xac", b"true", b"1", b"-1", b"NaN", b"inf", b"1e999", b"9" * 400, b"x" * 3_000, b"Bearer", b"Bearer ",
    b"Bearer sk-pg-000000000000-x", b"Basic !!!", b"00-0-0-0", b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01", b"gzip",
    b"text/event-stream", b"application/json; charset=utf-16", b"multipart/form-data", b"100-continue", b"websocket",
    b"upgrade", b"keep-alive, upgrade", b"close", b"bytes=0-1", b"\t\t", b'{"a": 1}', b"[Flag: cheapest]",
    b"30.5", b"5000ms", b"30S", b"1H", b"0S",
)  # fmt: skip


def headers(random: Random) -> list[bytes]:
    """Header lines, of which some are ours and few are sound."""
    found = []
    for _ in range(random.choice((0, 1, 2, 4))):
        name = random.choice(_HEADERS).encode()
        value = random.choice(_HEADER_VALUES) if random.random() < 0.8 else bent_bytes(b"max_cost_usd=0.002", random)
        found.append(name + b": " + value.replace(b"\r", b"").replace(b"\n", b"").replace(b"\x00", b""))
    return found


_MESSAGE = {
    "role": "assistant",
    "content": "Hello",
    "reasoning_content": "hm",
    "refusal": None,
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}],
}
_USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 3,
    "total_tokens": 13,
    "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 1},
}
_DELTAS: tuple[dict[str, Any], ...] = (
    {"role": "assistant", "content": ""},
    {"reasoning_content": "hm"},
    {"thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "abc"}]},
    {"content": "Hello"},
    {"content": " you"},
    {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
    {"tool_calls": [{"index": 0, "function": {"arguments": '{"x":'}}]},
    {"tool_calls": [{"index": 0, "function": {"arguments": " 1}"}}]},
)


def upstream_answer(random: Random) -> bytes:
    """Something that resembles a whole answer."""
    choice = {"index": 0, "message": _MESSAGE, "finish_reason": "stop", "logprobs": {"content": [{"token": "H"}]}}
    body = {"id": "r1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": _USAGE}
    raw = json.dumps(bent_json(body, random) if random.random() < 0.9 else body).encode("utf-8", "surrogatepass")
    return bent_bytes(raw, random) if random.random() < 0.3 else raw


_MESSAGE_DELTAS: tuple[tuple[dict[str, Any], ...], ...] = (
    (
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "abc"}},
        {"type": "content_block_stop", "index": 0},
    ),
    (
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Hello"}},
        {"type": "content_block_stop", "index": 1},
    ),
    (
        {
            "type": "content_block_start",
            "index": 2,
            "content_block": {"type": "tool_use", "id": "c1", "name": "f", "input": {}},
        },
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"x": 1}'}},
        {"type": "content_block_stop", "index": 2},
    ),
)
_MESSAGE_USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 2,
    "cache_read_input_tokens": 4,
    "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 1},
    "output_tokens": 3,
}
_MESSAGE_HEAD = {"id": "m1", "type": "message", "role": "assistant", "model": "strong-raw", "stop_sequence": None}


def message_answer(random: Random) -> bytes:
    """Something that resembles a whole answer of Anthropic's."""
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": "abc"},
        {"type": "text", "text": "Hello", "citations": None},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {"x": 1}},
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
    ]
    content = [block for block in blocks if random.random() < 0.7]
    body = {**_MESSAGE_HEAD, "content": content, "stop_reason": "end_turn", "usage": _MESSAGE_USAGE}
    raw = json.dumps(bent_json(body, random) if random.random() < 0.9 else body).encode("utf-8", "surrogatepass")
    return bent_bytes(raw, random) if random.random() < 0.3 else raw


def message_events(random: Random) -> bytes:
    """Something that resembles a streamed answer of Anthropic's."""
    start = {**_MESSAGE_HEAD, "content": [], "stop_reason": None, "usage": _MESSAGE_USAGE}
    events: list[Any] = [{"type": "message_start", "message": start}]
    events += [event for block in _MESSAGE_DELTAS if random.random() < 0.7 for event in block]
    events.append({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}})
    events.append({"type": "message_stop"})
    if random.random() < 0.7:
        at = random.randrange(len(events))
        events[at] = bent_json(events[at], random)
    if random.random() < 0.2:
        events.insert(random.randrange(len(events)), {"type": "error", "error": {"type": "overloaded_error"}})
    if random.random() < 0.3:
        del events[random.randrange(len(events))]
    lines = []
    for event in events:
        kind = event.get("type") if isinstance(event, dict) else None
        named = b"event: %s\n" % str(kind).encode("utf-8", "replace") if random.random() < 0.9 else b""
        lines.append(named + b"data: " + json.dumps(event).encode("utf-8", "surrogatepass") + b"\n\n")
    raw = b"".join(lines)
    return bent_bytes(raw, random) if random.random() < 0.2 else raw


def upstream_events(random: Random) -> bytes:
    """Something that resembles a streamed answer."""
    head = {"id": "r1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    deltas = [d for d in _DELTAS if random.random() < 0.7]
    chunks: list[Any] = [{**head, "choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    chunks.append({**head, "choices": [], "usage": _USAGE})
    bent = [bent_json(chunk, random) if random.random() < 0.12 else chunk for chunk in chunks]
    if random.random() < 0.2:
        random.shuffle(bent)
    gap = random.choice((b"\n\n", b"\n\n", b"\r\n\r\n", b"\n", b"\r\r", b"\n\n\n"))
    lead = random.choice((b"data: ", b"data: ", b"data:", b"event: x\ndata: ", b": ping\n\ndata: ", b"id: 1\ndata:  "))
    events = [lead + json.dumps(chunk).encode("utf-8", "surrogatepass") + gap for chunk in bent]
    if random.random() < 0.8:
        events.append(b"data: [DONE]" + gap)
    raw = b"".join(events)
    return bent_bytes(raw, random) if random.random() < 0.25 else raw


def _bent_once(value: Any, random: Random, *, depth: int) -> Any:
    if depth and isinstance(value, dict) and value:
        name = random.choice(list(value))
        return {**value, name: _bent_once(value[name], random, depth=depth - 1)}
    if depth and isinstance(value, list) and value:
        at = random.randrange(len(value))
        return [*value[:at], _bent_once(value[at], random, depth=depth - 1), *value[at + 1 :]]
    return random.choice(_BENDS)(value, random)


def _without_one(value: Any, random: Random) -> Any:
    if isinstance(value, dict) and value:
        gone = random.choice(list(value))
        return {name: kept for name, kept in value.items() if name != gone}
    return value[:-1] if isinstance(value, list | str) else None


def _with_one_more(value: Any, random: Random) -> Any:
    if isinstance(value, dict):
        return {**value, random.choice(_NAMES): random.choice(_ODD)}
    return [*value, random.choice(_ODD)] if isinstance(value, list) else [value]


def _renamed(value: Any, random: Random) -> Any:
    if not isinstance(value, dict) or not value:
        return random.choice(_ODD)
    old = random.choice(list(value))
    return {(random.choice(_NAMES) if name == old else name): kept for name, kept in value.items()}


_BENDS: tuple[Callable[[Any, Random], Any], ...] = (
    lambda value, random: random.choice(_ODD),
    lambda value, random: random.choice(_ODD),
    _without_one,
    _with_one_more,
    _renamed,
    lambda value, random: {random.choice(_NAMES): value},
    lambda value, random: value * 2 if isinstance(value, list | str) else value,
)
