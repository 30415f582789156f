"""A chat history as Anthropic's turns: user and assistant, one after the other, with blocks in them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from gateway.wire.reasoning_signatures import author_of

from .native import SIGNER, call_id, is_blank

__all__ = ["UntranslatableError", "conversation"]

Block = dict[str, Any]
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=-]+)*;base64,")
_INSTRUCTIONS = frozenset({"system", "developer"})


class UntranslatableError(ValueError):
    """Chat says something for which Anthropic has no words; `parameter` names it."""

    def __init__(self, parameter: str) -> None:
        super().__init__(f"there is no word for {parameter}")
        self.parameter = parameter


def conversation(messages: Sequence[Mapping[str, Any]]) -> tuple[list[Block], list[dict[str, Any]]]:
    """The instructions, wherever they stood, and the turns. A conversation of instructions alone is asked by a user.

    Raises:
        UntranslatableError: a part is of a kind that Anthropic does not read.
    """
    system: list[Block] = []
    turns: list[dict[str, Any]] = []
    for message in messages:
        role = message.get("role")
        if role in _INSTRUCTIONS:
            system += _parts(message)
        elif role == "assistant":
            _append(turns, "assistant", _assistant(message))
        elif role in ("tool", "function"):
            _append(turns, "user", [_result(message)])
        else:
            _append(turns, "user", _parts(message))
    return (system, turns) if turns else ([], [{"role": "user", "content": system}])


def _append(turns: list[dict[str, Any]], role: str, blocks: list[Block]) -> None:
    """Turns of one role are one turn: results of several calls have to stand in the same."""
    if not blocks:
        return
    if turns and turns[-1]["role"] == role:
        turns[-1]["content"] += blocks
    else:
        turns.append({"role": role, "content": blocks})


def _assistant(message: Mapping[str, Any]) -> list[Block]:
    thoughts = [
        dict(block)
        for block in _objects(message.get("thinking_blocks"))
        if author_of(block.get("signature") or block.get("data")) == SIGNER
    ]
    calls = [_call(call) for call in _objects(message.get("tool_calls"))]
    if isinstance(legacy := message.get("function_call"), Mapping):
        calls.append(_call({"id": legacy.get("name"), "function": legacy}))
    texts = _parts(message)
    if isinstance(refusal := message.get("refusal"), str) and refusal:
        texts.append({"type": "text", "text": refusal})
    return [*thoughts, *texts, *calls]


def _call(call: Mapping[str, Any]) -> Block:
    function = call.get("function")
    if not isinstance(function, Mapping):
        raise UntranslatableError("messages.tool_calls of another type than function")
    return {
        "type": "tool_use",
        "id": call_id(str(call.get("id"))),
        "name": str(function.get("name")),
        "input": _input(function.get("arguments")),
    }


def _input(arguments: object) -> dict[str, Any]:
    """An object; what a model once wrote that is none, is shown as it was."""
    if not isinstance(arguments, str) or not arguments.strip():
        return {}
    try:
        read = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        read = None
    return read if isinstance(read, dict) else {"arguments": arguments}


def _result(message: Mapping[str, Any]) -> Block:
    result: Block = {
        "type": "tool_result",
        "tool_use_id": call_id(str(message.get("tool_call_id") or message.get("name"))),
        "content": _parts({"content": message.get("content")}),
    }
    if message.get("cache_control") is not None:
        result["cache_control"] = message["cache_control"]
    return result


def _parts(message: Mapping[str, Any]) -> list[Block]:
    """Blocks of a content; texts of nothing or of blanks, which Anthropic refuses, are left out."""
    content = message.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    blocks = [_block(part) for part in _objects(content)]
    return [block for block in blocks if block.get("type") != "text" or not is_blank(block["text"])]


def _block(part: Mapping[str, Any]) -> Block:
    match part.get("type"):
        case "text" | "input_text" | "output_text":
            block: Block = {"type": "text", "text": str(part.get("text") or "")}
        case "refusal":
            block = {"type": "text", "text": str(part.get("refusal") or "")}
        case "image_url":
            image = part.get("image_url")
            url = image.get("url") if isinstance(image, Mapping) else image
            block = {"type": "image", "source": _source(url, "messages.content.image_url")}
        case "file":
            block = _document(part.get("file"))
        case kind:
            raise UntranslatableError(f"messages.content of type {kind}"[:80])
    if part.get("cache_control") is not None:
        block["cache_control"] = part["cache_control"]
    return block


def _document(file: object) -> Block:
    data = file.get("file_data") if isinstance(file, Mapping) else None
    if not isinstance(file, Mapping) or data is None:
        raise UntranslatableError("messages.content of a file without file_data")
    block: Block = {"type": "document", "source": _source(data, "messages.content.file")}
    if isinstance(name := file.get("filename"), str) and name:
        block["title"] = name
    return block


def _source(url: object, where: str) -> dict[str, Any]:
    if not isinstance(url, str):
        raise UntranslatableError(where)
    found = _DATA_URL.match(url)
    if found is not None:
        media_type = found[1] or "application/octet-stream"
        return {"type": "base64", "media_type": media_type, "data": url[found.end() :]}
    if url.startswith(("https://", "http://")):
        return {"type": "url", "url": url}
    raise UntranslatableError(where)


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
