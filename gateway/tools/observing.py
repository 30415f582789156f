"""Calls whose results a request brings back: what was asked, which tool was called for it, and whether that worked."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from predictors.encoders import Vectors

from .offer import events_of, text_of

__all__ = ["Observation", "observed_in", "packed", "unpacked"]

_FAILURES = (
    "the tool failed",
    "error",
    '{"error"',
    '{"is_error": true',
    "traceback",
)  # how results begin that are none


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The calls since the last word of the user, and that word."""

    asked: str
    calls: tuple[tuple[str, bool], ...]  # (tool, whether its result looks like one)


def observed_in(messages: object) -> Observation | None:
    """What the end of a conversation tells; None where it ends with no tool's result.

    Only the results after the assistant's last turn count, so that each is seen once, in the request that brings it.
    """
    turns: Sequence[Any] = messages if isinstance(messages, list) else []
    last = next((at for at in range(len(turns) - 1, -1, -1) if _role(turns[at]) == "assistant"), None)
    asked = [event.asked for event in events_of(turns[:last]) if event.asked] if last is not None else []
    if last is None or not asked:
        return None
    names = {
        call.get("id"): function.get("name")
        for call in turns[last].get("tool_calls") or ()
        if isinstance(call, Mapping) and isinstance(function := call.get("function"), Mapping)
    }
    results = [turn for turn in turns[last + 1 :] if _role(turn) == "tool"]
    calls = [(names.get(r.get("tool_call_id")), not _has_failed(r.get("content"))) for r in results]
    known = tuple((name, worked) for name, worked in calls if isinstance(name, str))
    return Observation(asked=asked[-1], calls=known) if known else None


def packed(vector: Vectors) -> str:
    """A vector for a record: base64 of 16-bit floats."""
    return base64.b64encode(vector.astype(np.float16).tobytes()).decode()


def unpacked(text: str) -> Vectors:
    """The vector of a record, of unit length.

    Raises:
        ValueError: it is none.
    """
    vector = np.frombuffer(base64.b64decode(text, validate=True), dtype=np.float16).astype(np.float32)  # (dim,)
    norm = float(np.linalg.norm(vector))
    if not np.isfinite(norm) or norm == 0:
        raise ValueError("no direction")
    return vector / norm


def _role(turn: object) -> object:
    return turn.get("role") if isinstance(turn, Mapping) else None


def _has_failed(content: object) -> bool:
    return text_of(content).lstrip().lower().startswith(_FAILURES)
