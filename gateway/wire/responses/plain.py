"""What chat has words for, of a Responses request that asks for more: enough to decide about it.

A request that only OpenAI's own servers can answer goes there as it came. To choose among them, to count and to look
for personal data, its chat form is needed all the same: what has no translation stands there as the text in it.
"""

from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from gateway.wire.messages.plain import texts_within

__all__ = ["hosted_tools", "is_hosted", "plainly", "without_optional"]

# Fields that ask for what OpenAI's servers alone can do.
_THERE = frozenset({"context_management", "conversation", "max_tool_calls", "truncation"})
_INCLUDED = ("message.output_text.logprobs", "reasoning.encrypted_content")
_TEXT, _REASONING = ("format", "verbosity"), ("effort", "summary", "generate_summary")
_OURS = ("function", "custom", "namespace", "tool_search")  # tools that chat can call
_FUNCTION = ("type", "name", "description", "parameters", "strict", "defer_loading")
_MESSAGE = ("type", "role", "content", "id", "status", "phase")
_ITEMS = frozenset(
    {"message", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output", "reasoning"}
    | {"tool_search_call", "tool_search_output", "additional_tools"}
)
_OUTPUTS = ("function_call_output", "custom_tool_call_output")
_PARTS = ("input_text", "output_text", "text", "refusal", "input_audio")


def plainly(body: Mapping[str, Any]) -> dict[str, Any]:
    """The request without what has no translation. Whatever is malformed beside that stays, and is complained about."""
    plain = {key: value for key, value in body.items() if key not in _THERE}
    if isinstance(items := body.get("input"), list):
        plain["input"] = [_item(item) for item in items]
    if isinstance(tools := body.get("tools"), list):
        plain["tools"] = [_tool(tool) for tool in tools if not is_hosted(tool)]
    if isinstance(choice := body.get("tool_choice"), Mapping) and not _is_translated_choice(choice):
        del plain["tool_choice"]
    if isinstance(include := body.get("include"), list):
        plain["include"] = [name for name in include if name in _INCLUDED]
    for field, known in (("text", _TEXT), ("reasoning", _REASONING)):
        if isinstance(value := body.get(field), Mapping):
            plain[field] = {key: value[key] for key in known if key in value}
    return plain


def hosted_tools(body: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Declarations of what runs at OpenAI, each with its place among the tools."""
    tools = body.get("tools")
    for place, tool in enumerate(tools if isinstance(tools, list) else ()):
        if isinstance(tool, dict) and is_hosted(tool):
            yield place, tool


def without_optional(body: Mapping[str, Any], kinds: Collection[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The request without tools of these kinds that run at OpenAI, and the kinds of those that were in it.

    None are taken out where the request insists on tools: on one of these, perhaps.
    """
    tools, choice = body.get("tools"), body.get("tool_choice")
    if not isinstance(tools, list) or choice not in (None, "auto", "none"):
        return dict(body), ()
    gone = [tool for tool in tools if is_hosted(tool) and any(fnmatchcase(tool["type"], kind) for kind in kinds)]
    slim = {key: value for key, value in body.items() if key != "tools"}
    if kept := [tool for tool in tools if tool not in gone]:
        slim["tools"] = kept
    if gone and isinstance(include := body.get("include"), list):
        slim["include"] = [name for name in include if name in _INCLUDED]  # others are of what these tools found
    return slim, tuple(sorted({tool["type"] for tool in gone}))


def is_hosted(tool: object) -> bool:
    """Whether a tool runs at OpenAI, such as a search of the web or an MCP server that is connected to from there."""
    return isinstance(tool, Mapping) and isinstance(tool.get("type"), str) and tool["type"] not in _OURS


def _is_translated_choice(choice: Mapping[str, Any]) -> bool:
    kind = choice.get("type")
    if kind != "allowed_tools":
        return kind in ("function", "custom")
    tools = choice.get("tools")
    return not isinstance(tools, list) or not any(map(is_hosted, tools))


def _tool(tool: object) -> object:
    if not isinstance(tool, Mapping):
        return tool
    if tool.get("type") == "namespace" and isinstance(members := tool.get("tools"), list):
        return {**tool, "tools": [_tool(member) for member in members]}
    return {key: tool[key] for key in _FUNCTION if key in tool} if tool.get("type") == "function" else tool


def _item(item: object) -> object:
    if not isinstance(item, Mapping):
        return item
    kind = item.get("type", "message")
    if not isinstance(kind, str) or kind == "item_reference":
        return item  # malformed, or a reference to what is stored nowhere: the reader of items refuses both
    if kind not in _ITEMS:
        return {"type": "message", "role": "assistant", "content": texts_within(item)}
    if kind == "message":
        kept = {key: item[key] for key in _MESSAGE if key in item}
        return {**kept, "content": _content(item.get("content"))} if "content" in item else kept
    return {**item, "output": _content(item.get("output"))} if kind in _OUTPUTS else item


def _content(content: object) -> object:
    return [_part(part) for part in content] if isinstance(content, list) else content


def _part(part: object) -> object:
    """A part that chat knows, as it is; of any other the text in it, such as of a picture that is only referred to."""
    if not isinstance(part, Mapping) or part.get("type") in _PARTS:
        return part
    is_whole = part.get("image_url" if part.get("type") == "input_image" else "file_data") is not None
    if part.get("type") in ("input_image", "input_file") and is_whole:
        return part
    return {"type": "input_text", "text": texts_within(part)}
