"""The bytes that OpenAI gets of a Responses request that only it can answer: the client's own, as far as they can be.

What must change: the model's name; keys that are ours; tools that were left out or come from a registry; and what a
stored conversation holds of other models: names of items that OpenAI never gave, and sealed reasoning that it cannot
read. Whether it stores the Response is the client's own word (`store`), as if it had been asked directly.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from gateway.wire.body import splice_model
from gateway.wire.reasoning_signatures import is_sealed

from .plain import is_hosted

__all__ = ["responses_body"]

_NAMED_HERE = re.compile(r"_resp_[0-9a-f]{32}_")  # in the id of an item of a Response that is stored here


def responses_body(
    raw: bytes,
    client_body: Mapping[str, Any],
    *,
    model: str,
    model_name: str,
    without: Collection[str],
    changes: Mapping[str, Any],
    tools: tuple[Sequence[Mapping[str, Any]], Sequence[Mapping[str, Any]]] | None = None,
) -> bytes:
    """The request for this model.

    Args:
        raw: the client's body.
        client_body: the same, read.
        model: the client's own word for the model.
        model_name: the name OpenAI knows the model by.
        without: top-level keys that are ours.
        changes: values that differ where this model is asked, and None for what it refuses; see `compatibility`.
        tools: the tools in chat's shape as they were read, and as they are to be sent; None where nothing changed.
    """
    items = _mended(client_body.get("input"))
    left_out = {*without, "previous_response_id"}  # what came before is in the input by now
    is_untouched = (
        tools is None
        and items is None
        and not changes
        and client_body.keys().isdisjoint(left_out)
        and "model" in client_body
    )
    if is_untouched and (spliced := splice_model(raw, model, model_name)) is not None:
        return spliced
    body = {key: value for key, value in client_body.items() if key not in left_out}
    body |= {"model": model_name, **changes}
    if items is not None:
        body["input"] = items
    if tools is not None:
        body["tools"] = _chosen(client_body.get("tools") or (), *tools)
        if not body["tools"]:  # a choice among nothing is refused
            body |= {"tools": None, "tool_choice": None, "parallel_tool_calls": None}
    return orjson.dumps({key: value for key, value in body.items() if value is not None})


def _mended(items: object) -> list[Any] | None:
    """The conversation as OpenAI takes it; None where it is as it came."""
    if not isinstance(items, list):
        return None
    kept = [fit for item in items if (fit := _mended_item(item)) is not None]
    changed = len(kept) != len(items) or any(fit is not item for fit, item in zip(kept, items, strict=True))
    return kept if changed else None


def _mended_item(item: object) -> object:
    if not isinstance(item, dict):
        return item
    if item.get("type") == "reasoning" and is_sealed(item.get("encrypted_content")):
        return None
    name = item.get("id")
    if isinstance(name, str) and _NAMED_HERE.search(name):
        return None if item.get("type") == "reasoning" else {key: item[key] for key in item if key != "id"}
    return item


def _chosen(
    declared: Sequence[Any], before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]
) -> list[Any]:
    """Of the client's declarations those that are still wanted, what runs at OpenAI, and what else is."""
    known, wanted = {_name(tool) for tool in before}, {_name(tool) for tool in now}
    kept = [fit for tool in declared if (fit := _kept(tool, wanted, now)) is not None]
    more = [tool["function"] for tool in now if tool.get("type") == "function" and _name(tool) not in known]
    return [*kept, *({"type": "function", **function} for function in more)]


def _kept(tool: object, wanted: Collection[str], now: Sequence[Mapping[str, Any]]) -> object:
    if not isinstance(tool, dict) or tool.get("type") == "tool_search":
        return tool
    if is_hosted(tool):
        return tool if tool in now else None  # a key may forbid it
    if tool.get("type") != "namespace":
        return tool if tool.get("name") in wanted else None
    members = [member for member in tool.get("tools") or () if f"{tool.get('name')}__{member.get('name')}" in wanted]
    return {**tool, "tools": members} if members else None


def _name(tool: Mapping[str, Any]) -> str:
    function = tool.get("function")
    return str(function.get("name")) if isinstance(function, Mapping) else ""
