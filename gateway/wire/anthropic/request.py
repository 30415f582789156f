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
from .turns import UntoldError, conversation

__all__ = ["UntoldError", "messages_request"]

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
        UntoldError: something is asked for which there is no word.
    """
    for name, values in _NOTHING.items():
        if body.get(name) is not None and body[name] not in values:
            raise UntoldError(name)
    system, turns = conversation(body["messages"])
    name = str(body["model"])
    if turns[-1]["role"] == "assistant":
        _lead(turns[-1]["content"][-1], name)
    told: dict[str, Any] = {"model": name, "max_tokens": _most(body, name)}
    if system:
        told["system"] = system
    told["messages"] = turns
    told |= {key: body[key] for key in _KEPT if body.get(key) is not None}
    if told.get("temperature", 0.0) > _HOTTEST:
        raise UntoldError("temperature above 1")
    if stops := body.get("stop"):
        told["stop_sequences"] = [stops] if isinstance(stops, str) else stops
        if any(map(is_blank, told["stop_sequences"])):
            raise UntoldError("a stop of nothing but blanks")
    if isinstance(user := body.get("user") or body.get("safety_identifier"), str):
        told["metadata"] = {"user_id": user}
    if body.get("service_tier") == "default":
        told["service_tier"] = "standard_only"
    _declare(told, body)
    _shape(told, body.get("response_format"))
    think(told, body.get("reasoning_effort"))
    fit = {**told, **fitted_to(name, told)}
    return {key: value for key, value in fit.items() if value is not None}


def _lead(begun: dict[str, Any], name: str) -> None:
    """An answer that was begun for the model: Anthropic refuses one that ends in blanks."""
    if not can_be_led(name):
        raise UntoldError("a last message of the assistant")
    if begun["type"] == "text":
        begun["text"] = begun["text"].rstrip()


def _most(body: Mapping[str, Any], name: str) -> int:
    for key in ("max_completion_tokens", "max_tokens"):
        if isinstance(most := body.get(key), int):
            return most
    return most_tokens(name)


def _declare(told: dict[str, Any], body: Mapping[str, Any]) -> None:
    """Tools, and whether they are to be called. Past calls need declarations, whatever of."""
    declared = body.get("tools") or []
    if not isinstance(declared, list):
        raise UntoldError("tools that are no list")
    tools = [_tool(tool) for tool in declared]
    if tools:
        choice = _choice(body.get("tool_choice"))
        if body.get("parallel_tool_calls") is False and choice.get("type") != "none":
            choice["disable_parallel_tool_use"] = True
        if choice != {"type": "auto"}:
            told["tool_choice"] = choice
    else:
        called = dict.fromkeys(
            block["name"] for turn in told["messages"] for block in turn["content"] if block["type"] == "tool_use"
        )
        tools = [{"name": name, "input_schema": _ANY_OBJECT} for name in called]
        if tools:
            told["tool_choice"] = {"type": "none"}
    if tools:
        told["tools"] = tools


def _tool(tool: object) -> dict[str, Any]:
    if not isinstance(tool, Mapping) or not isinstance(tool.get("function"), Mapping):
        kind = tool.get("type") if isinstance(tool, Mapping) else type(tool).__name__
        raise UntoldError(f"tools of type {kind}"[:80])
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
    raise UntoldError("tool_choice of this kind")


def _shape(told: dict[str, Any], form: object) -> None:
    """An answer in JSON: by structured outputs, else as the input of a tool of ours that has to be called."""
    kind = form.get("type") if isinstance(form, Mapping) else None
    if not isinstance(form, Mapping) or kind in (None, "text"):
        return
    if kind not in ("json_object", "json_schema"):
        raise UntoldError(f"response_format of type {kind}"[:80])
    wanted = form.get("json_schema")
    schema = wanted.get("schema") if isinstance(wanted, Mapping) else None
    if isinstance(schema, Mapping) and answers_in_json(told["model"]) and (closed := closed_schema(schema)) is not None:
        told["output_config"] = {"format": {"type": "json_schema", "schema": closed}}
        return
    answer = {
        "name": JSON_TOOL,
        "description": "Give your answer, and nothing but your answer, as the input of this tool.",
        "input_schema": {**_ANY_OBJECT, **schema} if isinstance(schema, Mapping) else _ANY_OBJECT,
    }
    is_alone = not told.get("tools") or told.get("tool_choice") == {"type": "none"}
    told["tools"] = [*told.get("tools", ()), answer]
    told["tool_choice"] = {"type": "tool", "name": JSON_TOOL} if is_alone else {"type": "any"}
