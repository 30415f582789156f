"""Which conversation a request belongs to, and what is remembered of it for the next turn.

Said by the client, in this order: `routing.session_id`, the headers `x-session-id`, `x-conversation-id` and
`x-claude-code-session-id`, `metadata.user_id` (Anthropic), `prompt_cache_key` (OpenAI, OpenRouter) and the header
`x-model-affinity`. Where nobody says, what stays the same from turn to turn does: system prompt, names of tools and
the first user message, of long ones both ends. A first turn has nothing behind it, so that equal first turns do not
meet.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from catalog import record
from gateway.dispatch import Call
from router import SessionState

__all__ = ["Conversation", "conversation_of", "has_signed_reasoning", "state_after"]

_HEADERS = ("x-session-id", "x-conversation-id", "x-claude-code-session-id")
_INSTRUCTING = ("system", "developer")
_LAST_HEADER = "x-model-affinity"
_SIGNED = re.compile(rb'"(?:thinking_blocks|reasoning_details|signature|encrypted_content|redacted_thinking)"')
_END_CHARS, _END_ITEMS = 1_024, 16  # of what is longer than two such ends, both are looked at
_LEVELS = 3  # of lists and objects within a message: texts of parts stand in the second, addresses of images deeper
_MOST_TOOLS_KEPT = 256  # of one conversation, by their names
_MOST_CHARS_KEPT = 16_384


@record
class Conversation:
    """`session_id` is a digest, since clients put names of people into it; only an id meant for us stays as it is."""

    session_id: str
    has_past: bool  # there may be something to remember


def conversation_of(
    body: Mapping[str, Any], headers: Mapping[str, str], *, explicit: str | None = None, given: Mapping[str, Any] | None
) -> Conversation:
    """The conversation of a request.

    Args:
        body: in OpenAI's shape.
        headers: names in lower case.
        explicit: `routing.session_id`.
        given: the body as the client sent it, where that was in another shape.
    """
    if explicit:
        return Conversation(session_id=explicit[:256], has_past=True)
    if (said := _said(given or body, headers)) is not None:
        source, value = said
        return Conversation(session_id=_digest(source, value), has_past=True)
    instructions, first, has_past = _opening(body.get("messages") or ())
    begun = [list(map(_brief, _ends(instructions))), _brief(first)]
    tools = body.get("tools")
    same = orjson.dumps([*begun, tools and _names(tools)], option=orjson.OPT_NON_STR_KEYS)
    return Conversation(session_id=_digest("fingerprint", same), has_past=has_past)


def has_signed_reasoning(raw: bytes) -> bool:
    """Whether the history carries reasoning that only its author can read again."""
    return _SIGNED.search(raw) is not None


def state_after(call: Call) -> SessionState | None:
    """Who answered, what its cache holds, and the tools that were sent; None where nobody that we serve answered."""
    entry, usage = call.entry, call.usage
    if entry is None or entry.backend is None:
        return None
    held = usage.input_tokens + usage.output_tokens if usage is not None else call.query.input_tokens
    trail = call.tools
    tools = trail.sent if trail is not None and trail.how != "failed_open" else ()  # that was no choice to keep to
    if len(tools) > _MOST_TOOLS_KEPT or sum(map(len, tools)) > _MOST_CHARS_KEPT:
        tools = ()  # they are judged anew: what a caller makes up must not fill the memory
    return SessionState(backend_id=entry.backend.id, cached_tokens=held, tools=tools)


def _opening(messages: Iterable[Any]) -> tuple[list[Any], Any, bool]:
    """All instructions, the first user message, and whether a model has answered since."""
    instructions, users, has_past = [], [], False
    for message in messages:
        role = message.get("role") if isinstance(message, dict) else None
        if role == "user":
            users.append(message.get("content"))
        elif role == "assistant":
            has_past = True
        elif role in _INSTRUCTING:
            instructions.append(message.get("content"))
    return instructions, users[0] if users else None, has_past


def _brief(value: object, *, levels: int = _LEVELS) -> object:
    """What tells it from others: of a long text its length and both ends, or a book would be read to name a talk."""
    if isinstance(value, str):
        return value if len(value) <= 2 * _END_CHARS else [len(value), value[:_END_CHARS], value[-_END_CHARS:]]
    if not isinstance(value, list | dict):
        return value
    if not levels:
        return len(value)
    if isinstance(value, dict):
        return [len(value), {key: _brief(inner, levels=levels - 1) for key, inner in _ends(list(value.items()))}]
    return [len(value), *(_brief(inner, levels=levels - 1) for inner in _ends(value))]


def _names(tools: object) -> object:
    """Of a request's tools, however long their descriptions are."""
    if not isinstance(tools, list):
        return tools
    kept = [tool.get("function", tool) if isinstance(tool, dict) else tool for tool in _ends(tools)]
    return [len(tools), *(tool.get("name") if isinstance(tool, dict) else tool for tool in kept)]


def _ends(values: list[Any]) -> list[Any]:
    return values if len(values) <= 2 * _END_ITEMS else values[:_END_ITEMS] + values[-_END_ITEMS:]


def _said(body: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[str, bytes] | None:
    for name in _HEADERS:
        if value := headers.get(name):
            return name, value.encode()
    metadata = body.get("metadata")
    if isinstance(metadata, dict) and isinstance(user := metadata.get("user_id"), str) and user:
        return "user_id", user.encode("utf-8", "replace")
    if isinstance(key := body.get("prompt_cache_key"), str) and key:
        return "prompt_cache_key", key.encode("utf-8", "replace")
    return (_LAST_HEADER, value.encode()) if (value := headers.get(_LAST_HEADER)) else None


def _digest(source: str, value: bytes) -> str:
    """Of a first message of any length: processors have instructions for this hash, which makes it twice as fast."""
    return "ses_" + hashlib.sha256(b"%s\0%s" % (source.encode(), value)).hexdigest()[:24]
