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

from .detection import find_personal
from .redaction import Redaction

__all__ = ["Mode", "Protected", "protect"]

Mode = Literal["off", "redact", "local"]

_DROPPED = frozenset({"user", "safety_identifier"})  # who asks is nobody's business; no answer depends on it
_NOT_FORWARDED = frozenset({"messages", "routing", "model", "prompt_cache_key"})


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
    if request.refusal is not None:  # it goes as it came, and parts of it nobody here can read
        rest["told"] = request.raw.decode("utf-8", "replace")
    dropped = frozenset(k for k in _DROPPED if k in request.body and _has_personal(request.body[k], region))
    if dropped:
        reading = replace(reading, consumed=reading.consumed | dropped)
    redaction = Redaction(region=region, taken=request.raw.decode("utf-8", "replace"))
    cleaned = redaction.messages(messages)
    replaceable = "prompt" not in request.body and "input" not in request.body and not _has_personal(rest, region)
    if not redaction.found and replaceable:
        return Protected(reading=reading)
    if mode == "redact" and replaceable:
        return Protected(reading=replace(reading, messages=cleaned), redaction=redaction)
    if not redaction.found and not _has_personal(rest, region):
        return Protected(reading=reading)
    require = replace(reading.options.require, privacy="local")
    return Protected(reading=replace(reading, options=replace(reading.options, require=require)))


def _has_personal(value: Any, region: str | None) -> bool:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        return bool(find_personal(value, region=region))
    if isinstance(value, Mapping):
        return any(_has_personal(child, region) for child in value.values())
    return isinstance(value, list) and any(_has_personal(child, region) for child in value)
