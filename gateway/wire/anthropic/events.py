"""Events that have names, Anthropic's and those of Responses: read, written, and what they say of counts and failures.

Source: Anthropic's API reference, Streaming Messages.
"""

from collections.abc import Mapping
from typing import Any

import orjson

__all__ = ["event_bytes", "event_lines", "fault_of", "merged", "read_event"]

_KINDS = frozenset({"overloaded_error", "api_error", "rate_limit_error", "timeout_error", "invalid_request_error"})


def read_event(event: bytes) -> dict[str, Any] | None:
    """What an event says; nothing where it is a comment, None where it is malformed."""
    payload = b"\n".join(line[5:].lstrip() for line in event.split(b"\n") if line.startswith(b"data:"))
    if not payload:
        return {}
    try:
        data = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    kind = data.get("type") if isinstance(data, dict) else None
    return data if isinstance(kind, str) and kind.isprintable() else None  # it becomes a line of its own


def fault_of(event: Mapping[str, Any]) -> str:
    """What an `error` event is about, in words that hold nothing of the request."""
    error = event.get("error")
    kind = error.get("type") if isinstance(error, dict) else None
    return f"reported an error in the stream{f' ({kind})' if str(kind) in _KINDS else ''}"


def merged(first: object, last: object) -> dict[str, Any]:
    """Counts of the start under those of the end, which are those of the whole where they are given."""
    found: dict[str, Any] = {}
    for counts in (first, last):
        if isinstance(counts, Mapping):
            found |= {name: count for name, count in counts.items() if count is not None}
    return found


def event_bytes(event: Mapping[str, Any]) -> bytes:
    """One event, with the blank line that ends it."""
    return event_lines(event) + b"\n\n"


def event_lines(event: Mapping[str, Any]) -> bytes:
    """The same without that line."""
    body = orjson.dumps(event, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    return b"event: %s\ndata: %s" % (str(event["type"]).encode(), body)
