"""The bytes that Anthropic gets of a client that speaks its Messages: the client's own, where nothing must change.

What must change: the model's name; keys that are ours; tools that were left out; thinking and blank texts of other
models, which Anthropic would refuse; and names of calls that other makers write as Anthropic does not.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from gateway.wire.body import splice_model
from gateway.wire.reasoning_signatures import author_of

from .thinking import fitted_to

__all__ = ["SIGNER", "call_id", "is_blank", "messages_body", "names_claude", "native_tool"]

SIGNER = "anthropic"
_STRANGE = re.compile(r"[^a-zA-Z0-9_-]")
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})
_BOUND_FIELDS = {"tool_use": "id", "tool_result": "tool_use_id"}


def messages_body(
    raw: bytes,
    client_body: Mapping[str, Any],
    *,
    model: str,
    model_name: str,
    without: Collection[str],
    tools: tuple[Sequence[Mapping[str, Any]], object] | None = None,
    most: int | None = None,
) -> bytes:
    """The request for this model.

    Args:
        raw: the client's own bytes.
        client_body: the same, read.
        model: the name in them.
        model_name: the name Anthropic knows the model by.
        without: top-level keys that are ours.
        tools: the tools in chat's shape as they were read, and as they are to be sent; None where nothing changed.
        most: as many tokens as the model can give, where that is known.
    """
    messages = _mended(client_body.get("messages"))
    may_think = _may_think(client_body, client_body.get("messages") if messages is None else messages)
    # Who left the choice of the model to us could not know what it refuses; who names a Claude hears it from Claude.
    differing = {} if names_claude(model) else {**fitted_to(model_name, client_body), **_within(client_body, most)}
    is_untouched = tools is None and messages is None and may_think and not differing and "model" in client_body
    if is_untouched and client_body.keys().isdisjoint(without):
        spliced = splice_model(raw, model, model_name)
        if spliced is not None:
            return spliced
    fit = {**client_body, **differing}
    left_out = {*without, *(key for key, value in differing.items() if value is None)}
    body = {key: value for key, value in fit.items() if key not in left_out}
    body["model"] = model_name
    if messages is not None:
        body["messages"] = messages
    if not may_think:
        del body["thinking"]
    if tools is not None:
        _choose(body, *tools)
    return orjson.dumps(body)


def native_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A function as chat declares it, in Anthropic's shape."""
    function = tool["function"]
    schema = function.get("parameters")
    declared = {
        "name": function.get("name"),
        "input_schema": {"type": "object", **(schema if isinstance(schema, dict) else {})},
    }
    declared |= {name: function[name] for name in ("description", "strict") if function.get(name) is not None}
    if tool.get("cache_control") is not None:
        declared["cache_control"] = tool["cache_control"]
    return declared


def call_id(text: str) -> str:
    """The name of a call as Anthropic takes it: other makers also use dots and colons."""
    return _STRANGE.sub("_", text)


def names_claude(model: str) -> bool:
    """Whether a client asked for a model of Anthropic's."""
    return "claude" in model.lower()


def _within(body: Mapping[str, Any], most: int | None) -> dict[str, Any]:
    """Limits that the model can keep: it refuses larger ones."""
    if most is None or not isinstance(wanted := body.get("max_tokens"), int) or wanted <= most:
        return {}
    thinking = body.get("thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, Mapping) else None
    if not isinstance(thinking, Mapping) or not isinstance(budget, int) or budget < most:
        return {"max_tokens": most}
    return {"max_tokens": most, "thinking": {**thinking, "budget_tokens": most // 2}}


def is_blank(text: object) -> bool:
    """Whether a text says nothing: models write such beside their calls, and Anthropic refuses to read it."""
    return isinstance(text, str) and (not text or text.isspace())


def _choose(body: dict[str, Any], before: Sequence[Mapping[str, Any]], now: object) -> None:
    """Of the client's declarations those that are still wanted, and what else is."""
    kept: list[Mapping[str, Any]] = []
    own = {_key(tool): declared for tool, declared in zip(before, body.get("tools") or (), strict=False)}
    for tool in now if isinstance(now, list) else ():
        declared = own.get(_key(tool))
        if declared is None:
            kept.append(native_tool(tool))
        elif "defer_loading" in declared and "defer_loading" not in tool:
            kept.append({key: value for key, value in declared.items() if key != "defer_loading"})
        else:
            kept.append(declared)
    if kept:
        body["tools"] = kept
        return
    for name in ("tools", "tool_choice"):
        body.pop(name, None)


def _key(tool: Mapping[str, Any]) -> object:
    function = tool.get("function")
    return function.get("name") if isinstance(function, Mapping) else orjson.dumps(tool)


def _mended(messages: object) -> list[Any] | None:
    """The turns without what Anthropic would refuse; None where there is nothing of that kind."""
    if not isinstance(messages, list):
        return None
    changed, turns = False, []
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        answered = isinstance(message, dict) and message.get("role") == "assistant"
        if answered and (content == [] or is_blank(content)):
            changed = True
            continue  # a model had nothing to say
        if isinstance(content, list):
            kept = [fit for block in content if (fit := _mended_block(block, answered=answered)) is not None]
            if len(kept) != len(content) or any(fit is not block for fit, block in zip(kept, content, strict=True)):
                changed = True
                if not kept:
                    continue  # nothing is left of it but thoughts that this model may not see
                message = {**message, "content": kept}  # noqa: PLW2901 - a copy, the client's own stays
        turns.append(message)
    return turns if changed else None


def _mended_block(block: object, *, answered: bool) -> object:
    if not isinstance(block, dict):
        return block
    kind = str(block.get("type"))
    if kind == "text":
        return None if answered and is_blank(block.get("text")) else block
    if kind in _THOUGHTS:
        mark = block.get("signature") or block.get("data")
        return None if isinstance(mark, str) and mark and author_of(mark) != SIGNER else block
    field = _BOUND_FIELDS.get(kind)
    named = block.get(field) if field is not None else None
    if field is None or not isinstance(named, str) or not _STRANGE.search(named):
        return block
    return {**block, field: call_id(named)}


def _may_think(body: Mapping[str, Any], messages: object) -> bool:
    """A turn of calls that was begun without signed thinking cannot be continued with a budget for it."""
    thinking = body.get("thinking")
    if not isinstance(thinking, dict) or thinking.get("type") != "enabled" or not isinstance(messages, list):
        return True
    for message in reversed(messages):
        blocks = message.get("content") if isinstance(message, dict) else None
        listed = blocks if isinstance(blocks, list) else ()
        kinds = {str(block.get("type")) for block in listed if isinstance(block, dict)}
        if message.get("role") == "assistant":
            return "tool_use" not in kinds or not kinds.isdisjoint(_THOUGHTS)
        if "tool_result" not in kinds:
            return True
    return True
