"""Token counts as Anthropic reports them, in our convention and in chat's words."""

from collections.abc import Mapping
from typing import Any

from catalog import Usage
from gateway.wire.usage import read_usage

__all__ = ["chat_usage", "read_message_usage"]

_MOST = 10**9  # no call has more tokens


def read_message_usage(reported: object) -> Usage | None:
    """The counts of a message; None where they make no sense."""
    return read_usage(chat_usage(reported))


def chat_usage(reported: object) -> dict[str, Any] | None:
    """The same counts in chat's words; None where there are none.

    Anthropic counts what was read from or written to the prompt cache apart from the rest of the input; chat counts it
    in. How much is kept for an hour is told where litellm tells it.
    """
    if not isinstance(reported, Mapping):
        return None
    rest, output = _count(reported, "input_tokens"), _count(reported, "output_tokens")
    if rest is None or output is None:
        return None
    read, written = _count(reported, "cache_read_input_tokens") or 0, _count(reported, "cache_creation_input_tokens")
    by_life, made = reported.get("cache_creation"), reported.get("output_tokens_details")
    lives = {name: _count(by_life, f"ephemeral_{name}_input_tokens") or 0 for name in ("5m", "1h")}
    written = written if written is not None else sum(lives.values())
    details: dict[str, Any] = {"cached_tokens": read, "cache_creation_tokens": written}
    if lives["1h"]:
        details["cache_creation_token_details"] = {f"ephemeral_{name}_input_tokens": n for name, n in lives.items()}
    counts: dict[str, Any] = {
        "prompt_tokens": rest + read + written,
        "completion_tokens": output,
        "total_tokens": rest + read + written + output,
        "prompt_tokens_details": details,
    }
    if searches := _count(reported.get("server_tool_use"), "web_search_requests"):
        counts["server_tool_use"] = {"web_search_requests": searches}
    thought = _count(made, "thinking_tokens")
    return counts if thought is None else {**counts, "completion_tokens_details": {"reasoning_tokens": thought}}


def _count(table: object, name: str) -> int | None:
    value = table.get(name) if isinstance(table, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST else None
