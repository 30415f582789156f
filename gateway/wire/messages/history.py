"""The turns of a Messages request as chat messages: texts, pictures, documents, calls of tools and their results."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from gateway.wire.fields import SHOWN_BY, boolean_at, list_at, nothing_else, object_at, refuse, text_at

__all__ = ["HINTS", "cached_to_the_end", "chat_messages", "marked", "system_messages"]

HINTS = frozenset({"type", "cache_control"})
"""Fields that any block may have."""

_FOR_ANTHROPIC = "x-anthropic-billing-header:"
"""So begins what Claude Code tells its maker of itself atop its instructions. It differs from conversation to
conversation, so that no other server's prompt cache would know the instructions behind it again."""


def system_messages(system: object) -> list[dict[str, Any]]:
    """Instructions as chat's first message; none where there are none."""
    if system is None or system in ("", []):
        return []
    if isinstance(system, str):
        return [{"role": "system", "content": system}]
    parts = [
        _text(object_at(block, f"system[{i}]"), f"system[{i}]") for i, block in enumerate(list_at(system, "system"))
    ]
    parts = [part for part in parts if not _is_for_anthropic(part["text"])]
    return [{"role": "system", "content": _content(parts)}] if parts else []


def _is_for_anthropic(text: str) -> bool:
    return text.startswith(_FOR_ANTHROPIC) and "\n" not in text.strip()  # with more behind it, it is instructions, too


def chat_messages(messages: object) -> list[dict[str, Any]]:
    """Every turn, in chat's order.

    Raises:
        InvalidRequestError: naming the block that is malformed or has no translation.
    """
    if not isinstance(messages, list) or not messages:
        refuse("messages", "must be a list with at least one message")
    found: list[dict[str, Any]] = []
    for i, message in enumerate(messages):
        where = f"messages[{i}]"
        role, content = object_at(message, where).get("role"), message.get("content")
        nothing_else(message, where, {"role", "content"}, remedy="leave it out")
        if role not in ("user", "assistant", "system"):
            refuse(f"{where}.role", "must be user, assistant or system")
        if isinstance(content, str):
            found.append({"role": role, "content": content})
        elif not isinstance(content, list):
            refuse(f"{where}.content", "must be a string or a list of blocks")
        else:
            blocks = [(object_at(b, f"{where}.content[{n}]"), f"{where}.content[{n}]") for n, b in enumerate(content)]
            found += _TURNS[role](blocks)
    return found


def cached_to_the_end(messages: list[dict[str, Any]], mark: object) -> list[dict[str, Any]]:
    """Everything so far is worth a prompt cache, where the request as a whole says so: its last part is marked."""
    if mark is None:
        return messages
    *before, last = messages
    content = last.get("content")
    if last["role"] == "tool":
        return [*before, {**last, "cache_control": mark}]
    if isinstance(content, str) and content:
        content = [{"type": "text", "text": content}]
    if isinstance(content, list) and content:
        last = {**last, "content": [*content[:-1], {**content[-1], "cache_control": mark}]}
    return [*before, last]


def marked(part: dict[str, Any], block: Mapping[str, Any]) -> dict[str, Any]:
    """A translated part with its block's mark for the prompt cache."""
    if block.get("cache_control") is not None:
        part["cache_control"] = block["cache_control"]
    return part


_Blocks = list[tuple[dict[str, Any], str]]  # each with its place


def _user(blocks: _Blocks) -> list[dict[str, Any]]:
    """Results of tools become messages of their own, before what else the user says: that is the order chat wants."""
    results: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    for block, where in blocks:
        if block.get("type") == "tool_result":
            result, pictures = _tool_result(block, where)
            results.append(result)
            parts += pictures
        else:
            parts.append(_user_part(block, where))
    return [*results, {"role": "user", "content": _content(parts)}] if parts or not results else results


def _user_part(block: Mapping[str, Any], where: str) -> dict[str, Any]:
    match block.get("type"):
        case "text":
            return _text(block, where)
        case "image":
            return _image(block, where)
        case "document":
            return _document(block, where)
        case kind:
            return refuse(f"{where}.type", f"{kind} cannot be translated; send text, image or document")


def _assistant(blocks: _Blocks) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    thoughts: list[dict[str, Any]] = []
    for block, where in blocks:
        match block.get("type"):
            case "text":
                parts.append(_text(block, where))
            case "tool_use":
                calls.append(_call(block, where))
            case "thinking" | "redacted_thinking":
                thoughts.append(block)
            case _ if _is_search(block):
                pass  # what it found is declared: see gateway.tools.offered.deferral
            case kind:
                refuse(f"{where}.type", f"{kind} happened at Anthropic and means nothing to others; leave it out")
    message: dict[str, Any] = {"role": "assistant", "content": _content(parts) if parts else None}
    if thoughts:
        message["thinking_blocks"] = thoughts
    if calls:
        message["tool_calls"] = calls
    elif not parts and not thoughts:
        message["content"] = ""
    return [message]


def _system(blocks: _Blocks) -> list[dict[str, Any]]:
    return [{"role": "system", "content": _content([_text(block, where) for block, where in blocks])}]


_TURNS: Mapping[object, Callable[[_Blocks], list[dict[str, Any]]]] = {
    "user": _user,
    "assistant": _assistant,
    "system": _system,
}


def _is_search(block: Mapping[str, Any]) -> bool:
    """Whether a block tells of a search for tools that Anthropic's server made."""
    if block.get("type") == "server_tool_use":
        return str(block.get("name")).startswith("tool_search_tool")
    return block.get("type") == "tool_search_tool_result"


def _call(block: Mapping[str, Any], where: str) -> dict[str, Any]:
    nothing_else(block, where, {*HINTS, "id", "name", "input", "caller"}, remedy="leave it out")
    arguments = object_at(block.get("input"), f"{where}.input")
    return {
        "id": text_at(block.get("id"), f"{where}.id"),
        "type": "function",
        "function": {
            "name": text_at(block.get("name"), f"{where}.name"),
            "arguments": orjson.dumps(arguments).decode(),
        },
    }


def _tool_result(block: Mapping[str, Any], where: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The message of a tool, and its pictures, which chat lets only users send."""
    nothing_else(block, where, {*HINTS, "tool_use_id", "content", "is_error"}, remedy="leave it out")
    call_id, content = text_at(block.get("tool_use_id"), f"{where}.tool_use_id"), block.get("content")
    texts: list[dict[str, Any]] = []
    pictures: list[dict[str, Any]] = []
    if isinstance(content, str):
        texts.append({"type": "text", "text": content})
    else:
        for i, part in enumerate(list_at(content, f"{where}.content")):
            place = f"{where}.content[{i}]"
            if isinstance(part, Mapping) and part.get("type") == "tool_reference":  # of the client's own search
                name = text_at(part.get("tool_name"), f"{place}.tool_name")
                texts.append({"type": "text", "text": f"Found the tool {name}."})
                continue
            translated = _user_part(object_at(part, place), place)
            (texts if translated["type"] == "text" else pictures).append(translated)
    if block.get("is_error") is not None and boolean_at(block["is_error"], f"{where}.is_error"):
        texts.insert(0, {"type": "text", "text": "The tool failed:"})
    if pictures:
        pictures.insert(0, {"type": "text", "text": f"{SHOWN_BY} {call_id}:"})
    result = {"role": "tool", "tool_call_id": call_id, "content": "\n".join(part["text"] for part in texts)}
    return marked(result, block), pictures


def _text(block: Mapping[str, Any], where: str) -> dict[str, Any]:
    if block.get("type") != "text":
        refuse(f"{where}.type", "must be text here")
    nothing_else(block, where, {*HINTS, "text", "citations"}, remedy="leave it out")
    return marked({"type": "text", "text": text_at(block.get("text"), f"{where}.text")}, block)


def _image(block: Mapping[str, Any], where: str) -> dict[str, Any]:
    nothing_else(block, where, {*HINTS, "source"}, remedy="leave it out")
    source = object_at(block.get("source"), f"{where}.source")
    match source.get("type"):
        case "base64":
            url = _data_url(source, f"{where}.source")
        case "url":
            url = text_at(source.get("url"), f"{where}.source.url")
        case kind:
            return refuse(f"{where}.source.type", f"{kind} cannot be translated; send the image as base64 or by url")
    return marked({"type": "image_url", "image_url": {"url": url}}, block)


def _document(block: Mapping[str, Any], where: str) -> dict[str, Any]:
    nothing_else(block, where, {*HINTS, "source", "title", "context", "citations"}, remedy="put it into a text block")
    citations = block.get("citations")
    if isinstance(citations, Mapping) and citations.get("enabled"):
        refuse(f"{where}.citations", "cannot be had from other models; leave it out")
    source = object_at(block.get("source"), f"{where}.source")
    title = text_at(block["title"], f"{where}.title") if block.get("title") is not None else None
    context = text_at(block["context"], f"{where}.context") if block.get("context") is not None else None
    match source.get("type"):
        case "text" | "content":
            lines = [part for part in (title, context) if part]
            return marked({"type": "text", "text": "\n\n".join([*lines, _words(source, f"{where}.source")])}, block)
        case "base64":
            if context:
                refuse(f"{where}.context", "cannot be translated for other models; put it into a text block")
            name = title or "document.pdf"
            file = {"filename": name, "file_data": _data_url(source, f"{where}.source")}
            return marked({"type": "file", "file": file}, block)
        case kind:
            return refuse(f"{where}.source.type", f"{kind} cannot be translated; send it as base64 or as text")


def _words(source: Mapping[str, Any], where: str) -> str:
    """A document that is plain text, or blocks of it."""
    if source["type"] == "text":
        return text_at(source.get("data"), f"{where}.data")
    content, where = source.get("content"), f"{where}.content"
    if isinstance(content, str):
        return content
    blocks = [(object_at(part, f"{where}[{i}]"), f"{where}[{i}]") for i, part in enumerate(list_at(content, where))]
    return "\n".join(_text(block, place)["text"] for block, place in blocks)


def _data_url(source: Mapping[str, Any], where: str) -> str:
    media_type = text_at(source.get("media_type"), f"{where}.media_type")
    return f"data:{media_type};base64,{text_at(source.get('data'), f'{where}.data')}"


def _content(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """A single plain text as a string, which even the simplest server takes."""
    if not parts:
        return ""
    return parts[0]["text"] if len(parts) == 1 and parts[0].keys() == {"type", "text"} else parts
