"""What becomes of a request with personal data in it: it passes, travels without it, or stays on local backends.

`off` passes everything. `redact` replaces what it finds and restores it in the answer. `local` lets only backends of
the privacy tier `local` answer. What `redact` cannot replace (a completion's prompt, an embedding's input, a tool's
description) is treated as `local`: it never leaves by accident.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from catalog import record
from gateway.wire.body import ChatRequest
from router import Reading

from .redaction import Redaction

__all__ = ["Mode", "Protected", "protect"]

Mode = Literal["off", "redact", "local"]

# Who asks is nobody's business, and no answer depends on it, nor on what a cache is found by.
_DROPPED = frozenset({"user", "safety_identifier", "prompt_cache_key"})
_NOT_FORWARDED = frozenset({"messages", "routing", "model"})
_NOT_TOLD = frozenset({"routing", "model"})
_USER_OF_MESSAGES = "metadata"  # Anthropic's protocol has it there, and nothing else
_SEALED = frozenset({"signature", "encrypted_content"})
_BYTES = frozenset({"base64", "redacted_thinking"})  # kinds of blocks whose `data` are no words


@record
class Protected:
    """The request as it may be decided about and forwarded."""

    reading: Reading
    redaction: Redaction | None = None  # what is to be restored in the answer


def protect(request: ChatRequest, reading: Reading, *, mode: str, region: str | None = None) -> Protected:
    """Look for personal data and do what the mode says."""
    if mode == "off":
        return Protected(reading=reading)
    messages = reading.messages if reading.messages is not None else request.body.get("messages") or []
    rest = {k: v for k, v in request.body.items() if k not in _NOT_FORWARDED | _DROPPED | reading.consumed}
    dropped = frozenset(k for k in _DROPPED if k in request.body and _has_personal(request.body[k], region))
    if dropped:
        if "user" in dropped and "user" not in request.as_sent:
            dropped |= {_USER_OF_MESSAGES}
        reading = replace(reading, consumed=reading.consumed | dropped)
    told = {k: v for k, v in request.as_sent.items() if k not in _NOT_TOLD | _DROPPED | reading.consumed}
    if request.refusal is not None:  # it goes as it came, and parts of it nobody here can read
        rest["told"] = told
    redaction = Redaction(region=region, taken=request.raw.decode("utf-8", "replace"))
    cleaned = redaction.messages(messages)
    rest["unread"] = redaction.unread
    is_personal = _has_personal(rest, region)
    replaceable = "prompt" not in request.body and "input" not in request.body and not is_personal
    # What is in no message of a chat stays behind where the request is translated, and may go along where it is not.
    found = redaction.found or (request.may_go_as_sent and not is_personal and _has_personal(told, region))
    if not found and not is_personal:
        return Protected(reading=reading)
    if mode == "redact" and replaceable:
        return Protected(reading=replace(reading, messages=cleaned), redaction=redaction)
    require = replace(reading.options.require, privacy="local")
    return Protected(reading=replace(reading, options=replace(reading.options, require=require)))


def _has_personal(value: Any, region: str | None) -> bool:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        return not _is_data(value) and _tells(value, region)
    if isinstance(value, Mapping):
        without = _SEALED | {"data"} if value.get("type") in _BYTES else _SEALED
        return any(
            _tells(key, region) or _has_personal(child, region) for key, child in value.items() if key not in without
        )
    return isinstance(value, list) and any(_has_personal(child, region) for child in value)


def _tells(text: str, region: str | None) -> bool:
    """Whether personal data is in it, or in what it is JSON of."""
    return Redaction(region=region).redacted(text) != text


def _is_data(text: str) -> bool:
    return text.startswith("data:") and ";base64," in text[:200]
