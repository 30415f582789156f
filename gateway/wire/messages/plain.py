"""What chat has words for, of a Messages request that asks for more: enough to decide about it.

A request that only Anthropic's own servers can answer goes there as it came. To choose among them, to count and to look
for personal data, its chat form is needed all the same: what has no translation stands there as the text in it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["plainly", "server_tools", "texts_within"]

_FIELDS = frozenset(
    {"cache_control", "max_tokens", "messages", "metadata", "model", "stop_sequences", "stream", "system", "thinking"}
    | {"n", "tool_choice", "tools", "temperature", "top_p", "top_k", "routing"}
)
_BLOCKS: Mapping[str, tuple[str, ...]] = {  # what chat knows of each
    "text": ("type", "text", "cache_control"),
    "image": ("type", "source", "cache_control"),
    "thinking": ("type", "thinking", "signature"),
    "redacted_thinking": ("type", "data"),
    "tool_use": ("type", "id", "name", "input", "cache_control"),
    "tool_result": ("type", "tool_use_id", "content", "is_error", "cache_control"),
}
_TOOL = ("name", "description", "input_schema", "strict", "cache_control", "defer_loading")
_SOURCES = ("base64", "url")
_SILENT_KEYS = frozenset({"type", "id", "tool_use_id", "data", "encrypted_content", "signature", "media_type"})
_MAX_DEPTH = 20


def plainly(body: Mapping[str, Any]) -> dict[str, Any]:
    """The request without what has no translation. Whatever is malformed beside that stays, and is complained about."""
    plain = {key: value for key, value in body.items() if key in _FIELDS}
    if isinstance(messages := body.get("messages"), list):
        plain["messages"] = [_turn(message) for message in messages]
    if isinstance(system := body.get("system"), list):
        plain["system"] = [_block(block, allowed=("text",)) for block in system]
    if isinstance(tools := body.get("tools"), list):
        plain["tools"] = [
            {key: tool[key] for key in _TOOL if key in tool} if isinstance(tool, Mapping) else tool
            for tool in tools
            if not _is_server_tool(tool)
        ]
    thinking = body.get("thinking")
    if isinstance(thinking, Mapping) and thinking.get("type") not in ("enabled", "disabled", "adaptive"):
        del plain["thinking"]
    return plain


def server_tools(body: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Declarations of what runs at Anthropic, each with its place among the tools."""
    tools = body.get("tools")
    for place, tool in enumerate(tools if isinstance(tools, list) else ()):
        if _is_server_tool(tool):
            yield place, tool


def texts_within(value: object) -> str:
    """The texts in a block or item of any kind, a line each, without its names, seals and encoded bytes."""
    return "\n".join(_strings(value, 0))


def _is_server_tool(tool: object) -> bool:
    return isinstance(tool, Mapping) and "input_schema" not in tool and isinstance(tool.get("type"), str)


def _turn(message: object) -> object:
    content = message.get("content") if isinstance(message, Mapping) else None
    if not isinstance(message, Mapping) or not isinstance(content, list):
        return message
    allowed = tuple(_BLOCKS) if message.get("role") == "assistant" else ("text", "image", "tool_result")
    return {"role": message.get("role"), "content": [_block(block, allowed=allowed) for block in content]}


def _block(block: object, *, allowed: tuple[str, ...]) -> object:
    if not isinstance(block, Mapping):
        return block
    kind = block.get("type")
    source = block.get("source")
    is_known = kind in allowed and (kind != "image" or (isinstance(source, Mapping) and source.get("type") in _SOURCES))
    if not is_known:
        return {"type": "text", "text": texts_within(block)}
    kept = {key: block[key] for key in _BLOCKS[str(kind)] if key in block}
    if kind == "tool_result" and isinstance(content := kept.get("content"), list):
        kept["content"] = [_block(part, allowed=("text", "image")) for part in content]
    return kept


def _strings(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping) and depth < _MAX_DEPTH:
        is_text = value.get("type") == "text"
        for key, child in value.items():
            if key not in _SILENT_KEYS or (key == "data" and is_text):
                yield from _strings(child, depth + 1)
    elif isinstance(value, list) and depth < _MAX_DEPTH:
        for child in value:
            yield from _strings(child, depth + 1)
