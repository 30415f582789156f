"""Calls whose results a request brings back: what was asked, which tool was called for it, and whether that worked."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gateway.tools.offered.offer import events_of, name_in, text_of
from predictors.encoders import Vectors

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
    told = turns[last].get("tool_calls")
    calls = [call for call in (told if isinstance(told, list) else ()) if isinstance(call, Mapping)]
    names = {str(call.get("id")): name for call in calls if (name := name_in(call)) is not None}
    results = [turn for turn in turns[last + 1 :] if _role(turn) == "tool"]
    known = tuple(
        (names[call_id], not _has_failed(result.get("content")))
        for result in results
        if (call_id := str(result.get("tool_call_id"))) in names
    )
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
