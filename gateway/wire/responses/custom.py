"""Custom tools of a Responses request, which take a text: told as functions of one text, and their calls told back.

Only some of OpenAI's own models have such tools; as functions they work with every model that calls functions. A
grammar that a custom tool's input must follow is told to the model in the tool's description: nobody holds it to that.
The arguments of a function arrive as JSON in pieces, so a call's text comes when it is whole.

Source of the shapes: OpenAI's API reference, Responses, custom tools.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from gateway.wire.fields import nothing_else, object_at, refuse, text_at

__all__ = ["custom_arguments", "custom_function", "custom_input", "is_custom_call"]

_INPUT = "input"


def custom_function(tool: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The function of chat that stands for a custom tool.

    Raises:
        InvalidRequestError: naming the field.
    """
    nothing_else(tool, where, {"type", "name", "description", "format", "defer_loading"}, remedy="leave it out")
    lines = [text_at(tool["description"], f"{where}.description")] if tool.get("description") is not None else []
    form = object_at(tool.get("format") or {"type": "text"}, f"{where}.format")
    match form.get("type"):
        case "text":
            pass
        case "grammar":
            syntax = text_at(form.get("syntax"), f"{where}.format.syntax")
            grammar = text_at(form.get("definition"), f"{where}.format.definition")
            lines.append(f"The {_INPUT} must match this {syntax} grammar:\n{grammar}")
        case kind:
            refuse(f"{where}.format.type", f"{kind} is unknown here; choose text or grammar")
    parameters = {
        "type": "object",
        "properties": {_INPUT: {"type": "string"}},
        "required": [_INPUT],
        "additionalProperties": False,
    }
    function: dict[str, Any] = {"name": text_at(tool.get("name"), f"{where}.name"), "parameters": parameters}
    if lines:
        function["description"] = "\n\n".join(lines)
    declared: dict[str, Any] = {"type": "function", "function": function}
    return {**declared, "defer_loading": True} if tool.get("defer_loading") is True else declared


def custom_arguments(text: str) -> str:
    """A custom call's text, as the arguments of its function."""
    return orjson.dumps({_INPUT: text}).decode()


def custom_input(arguments: str) -> str:
    """And back; where a model kept to another shape, whatever it said."""
    try:
        given = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return arguments
    text = given.get(_INPUT) if isinstance(given, Mapping) else None
    return text if isinstance(text, str) else arguments


def is_custom_call(name: str, body: Mapping[str, Any]) -> bool:
    """Whether a call of this name is of a custom tool."""
    return any(
        isinstance(tool, Mapping) and tool.get("type") == "custom" and tool.get("name") == name
        for tool in body.get("tools") or ()
    )
