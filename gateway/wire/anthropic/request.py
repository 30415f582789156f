"""A chat request as Anthropic's Messages.

What asks for nothing, and hints whose loss changes no answer (a seed, keys of caches, who asks), is let go. What has no
word is said to be so, and another backend is asked. Source of the shapes: Anthropic's API reference, Messages.
"""

from collections.abc import Mapping
from typing import Any

from .answer import JSON_TOOL
from .native import is_blank, native_tool
from .schema import closed_schema
from .thinking import answers_in_json, can_be_led, fitted_to, most_tokens, think
from .turns import UntranslatableError, conversation

__all__ = ["UntranslatableError", "messages_request"]

_KEPT = ("temperature", "top_p", "top_k", "thinking", "stream")
_NOTHING: Mapping[str, tuple[object, ...]] = {  # what chat may ask, and the values that ask for nothing
    "audio": (),
    "frequency_penalty": (0,),
    "function_call": (),
    "functions": (),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "n": (1,),
    "presence_penalty": (0,),
    "top_logprobs": (0,),
    "web_search_options": (),
}
_ANY_OBJECT = {"type": "object", "additionalProperties": True}
_HOTTEST = 1.0


def messages_request(body: Mapping[str, Any]) -> dict[str, Any]:
    """The request that Anthropic gets; `body` is one that `read_chat` has checked.

    Raises:
        UntranslatableError: something is asked for which there is no word.
    """
    for name, values in _NOTHING.items():
        if body.get(name) is not None and body[name] not in values:
            raise UntranslatableError(name)
    system, turns = conversation(body["messages"])
    name = str(body["model"])
    if turns[-1]["role"] == "assistant":
        _lead(turns[-1]["content"][-1], name)
    request: dict[str, Any] = {"model": name, "max_tokens": _most(body, name)}
    if system:
        request["system"] = system
    request["messages"] = turns
    request |= {key: body[key] for key in _KEPT if body.get(key) is not None}
    if request.get("temperature", 0.0) > _HOTTEST:
        raise UntranslatableError("temperature above 1")
    if stops := body.get("stop"):
        request["stop_sequences"] = [stops] if isinstance(stops, str) else stops
        if any(map(is_blank, request["stop_sequences"])):
            raise UntranslatableError("a stop of nothing but blanks")
    if isinstance(user := body.get("user") or body.get("safety_identifier"), str):
        request["metadata"] = {"user_id": user}
    if body.get("service_tier") == "default":
        request["service_tier"] = "standard_only"
    _declare(request, body)
    _shape(request, body.get("response_format"))
    think(request, body.get("reasoning_effort"))
    fit = {**request, **fitted_to(name, request)}
    return {key: value for key, value in fit.items() if value is not None}


def _lead(begun: dict[str, Any], name: str) -> None:
    """An answer that was begun for the model: Anthropic refuses one that ends in blanks."""
    if not can_be_led(name):
        raise UntranslatableError("a last message of the assistant")
    if begun["type"] == "text":
        begun["text"] = begun["text"].rstrip()


def _most(body: Mapping[str, Any], name: str) -> int:
    for key in ("max_completion_tokens", "max_tokens"):
        if isinstance(most := body.get(key), int):
            return most
    return most_tokens(name)


def _declare(request: dict[str, Any], body: Mapping[str, Any]) -> None:
    """Tools, and whether they are to be called. Past calls need declarations, whatever of."""
    declared = body.get("tools") or []
    if not isinstance(declared, list):
        raise UntranslatableError("tools that are no list")
    tools = [_tool(tool) for tool in declared]
    if tools:
        choice = _choice(body.get("tool_choice"))
        if body.get("parallel_tool_calls") is False and choice.get("type") != "none":
            choice["disable_parallel_tool_use"] = True
        if choice != {"type": "auto"}:
            request["tool_choice"] = choice
    else:
        called = dict.fromkeys(
            block["name"] for turn in request["messages"] for block in turn["content"] if block["type"] == "tool_use"
        )
        tools = [{"name": name, "input_schema": _ANY_OBJECT} for name in called]
        if tools:
            request["tool_choice"] = {"type": "none"}
    if tools:
        request["tools"] = tools


def _tool(tool: object) -> dict[str, Any]:
    if not isinstance(tool, Mapping) or not isinstance(tool.get("function"), Mapping):
        kind = tool.get("type") if isinstance(tool, Mapping) else type(tool).__name__
        raise UntranslatableError(f"tools of type {kind}"[:80])
    return native_tool(tool)


def _choice(choice: object) -> dict[str, Any]:
    match choice:
        case None | "auto":
            return {"type": "auto"}
        case "none":
            return {"type": "none"}
        case "required":
            return {"type": "any"}
        case {"type": "function", "function": {"name": str(name)}}:
            return {"type": "tool", "name": name}
    raise UntranslatableError("tool_choice of this kind")


def _shape(request: dict[str, Any], form: object) -> None:
    """An answer in JSON: by structured outputs, else as the input of a tool of ours that has to be called."""
    kind = form.get("type") if isinstance(form, Mapping) else None
    if not isinstance(form, Mapping) or kind in (None, "text"):
        return
    if kind not in ("json_object", "json_schema"):
        raise UntranslatableError(f"response_format of type {kind}"[:80])
    wanted = form.get("json_schema")
    schema = wanted.get("schema") if isinstance(wanted, Mapping) else None
    if (
        isinstance(schema, Mapping)
        and answers_in_json(request["model"])
        and (closed := closed_schema(schema)) is not None
    ):
        request["output_config"] = {"format": {"type": "json_schema", "schema": closed}}
        return
    answer = {
        "name": JSON_TOOL,
        "description": "Give your answer, and nothing but your answer, as the input of this tool.",
        "input_schema": {**_ANY_OBJECT, **schema} if isinstance(schema, Mapping) else _ANY_OBJECT,
    }
    is_alone = not request.get("tools") or request.get("tool_choice") == {"type": "none"}
    request["tools"] = [*request.get("tools", ()), answer]
    request["tool_choice"] = {"type": "tool", "name": JSON_TOOL} if is_alone else {"type": "any"}
