"""The items of a stored conversation: each with an id, as clients list them and as a later request takes them.

An id tells which Response its item belongs to, so that a request may refer to an item by it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["RESPONSE_ID", "as_items", "conversation", "named_items", "response_of_item"]

RESPONSE_ID = re.compile(r"resp_[0-9a-f]{32}")
_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "reasoning": "rs",
}

Item = dict[str, Any]


def as_items(given: object) -> list[Any]:
    """What stands in `input`, as a list."""
    return [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else list(given)  # type: ignore[call-overload] # checked before


def named_items(items: Sequence[Mapping[str, Any]], response_id: str) -> list[Item]:
    """Items that were read without complaint, with ids and types and their texts in parts."""
    return [_named(item, f"{response_id}_in{i}") for i, item in enumerate(items)]


def conversation(record: Mapping[str, Any]) -> list[Item]:
    """Everything up to and with a Response, as the next request's input begins with it."""
    told = (*record["input"], *record["response"]["output"])
    return [{key: value for key, value in item.items() if value is not None} for item in told]


def response_of_item(item_id: object) -> str | None:
    """The id of the Response that an item came in or out with; None where no Response of ours has such items."""
    found = RESPONSE_ID.search(item_id) if isinstance(item_id, str) else None
    return found[0] if found else None


def _named(item: Mapping[str, Any], place: str) -> Item:
    kind = str(item.get("type") or "message")
    named: Item = {"id": f"{_PREFIXES.get(kind, 'item')}_{place}", "type": kind}
    named |= {key: value for key, value in item.items() if value is not None}
    if kind == "message":
        named.setdefault("status", "completed")
        if isinstance(content := named.get("content"), str):
            named["content"] = [_text(content, role=named["role"])]
    return named


def _text(text: str, *, role: str) -> Item:
    if role == "assistant":
        return {"type": "output_text", "text": text, "annotations": []}
    return {"type": "input_text", "text": text}
