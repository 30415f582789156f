"""Anthropic's Messages, told as a chat request, and as they came where Anthropic itself is asked.

A conversation that Anthropic holds (`thread`, which the loop of its library over tools asks for by itself) is refused
everywhere, in the words in which Anthropic does: the library then goes on without, and sends all of it.

What chat has no word for goes to Anthropic alone; where it is not among the backends, it is refused, with the field and
the remedy. Six things are no loss and are let go: marks for a prompt cache where the backend has none of Anthropic's
kind, citations within earlier answers, thinking that another model would not accept (see `bound`), a thinking budget
where the model does not think, what a refusal of Anthropic's was worth of the next bill, and the wish to hear why a
prompt cache was missed, which the answer then does not say.

Source of the shapes: Anthropic's API reference, Messages.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

from catalog import ANTHROPIC_MESSAGES, PoolEntry
from gateway.errors import InvalidRequestError
from gateway.wire.answer import ChatAnswer, read_answer
from gateway.wire.anthropic.native import messages_body
from gateway.wire.anthropic.passing import PassingStream, read_message
from gateway.wire.body import read_chat, read_object
from gateway.wire.fields import boolean_at, list_at, nothing_else, object_at, one_answer, refuse, text_at
from gateway.wire.own_protocol import OwnProtocolRequest

from .answer import check_arguments
from .history import HINTS, cached_to_the_end, chat_messages, marked, system_messages
from .plain import plainly, server_tools

__all__ = ["MessagesRequest", "read_messages"]


_TRANSLATED = frozenset(
    {
        "cache_control",
        "diagnostics",
        "fallback_credit_token",
        "max_tokens",
        "messages",
        "metadata",
        "output_config",
        "output_format",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    }
)
_REMOTE = {  # what only Anthropic's own servers can do
    "billing_policy": "the key that the request comes with is billed; leave it out",
    "compaction": "nothing is compacted here; ask for a summary in messages",
    "fallbacks": "name the models to choose from in routing.models instead",
    "container": "leave it out: code runs at Anthropic only",
    "mcp_servers": "connect to the servers yourself and declare their tools",
    "inference_geo": "say routing.require.regions instead",
}
_EFFORTS = {"low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "xhigh"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesRequest(OwnProtocolRequest):
    """What a client asked of `/v1/messages`."""

    own_protocol: ClassVar = ANTHROPIC_MESSAGES
    own_path: ClassVar = "/messages"
    own_stream: ClassVar = PassingStream
    own_prefix: ClassVar = "msg_"
    goes_there_anyway: ClassVar = True

    def _own_body(self, model_name: str, *, without: Collection[str], recipient: PoolEntry) -> bytes:
        before, now = self.read_as.get("tools"), self.body.get("tools")
        return messages_body(
            self.raw,
            self.client_body,
            model=self.model,
            model_name=model_name,
            without=without,
            tools=None if now is before else (before or (), now),
            most=recipient.profile.max_output_tokens,
        )

    def _read_own(self, raw: bytes, *, backend_id: str) -> ChatAnswer:
        return read_message(raw, backend_id=backend_id)

    def _read_chat(self, raw: bytes, *, backend_id: str) -> ChatAnswer:
        answer = read_answer(raw, backend_id=backend_id)
        check_arguments(answer, backend_id=backend_id)
        return answer


def read_messages(raw: bytes, *, counting: bool = False) -> MessagesRequest:
    """The chat request that a Messages request means.

    Args:
        raw: the client's body.
        counting: for `count_tokens`, which needs no `max_tokens`.

    Raises:
        InvalidRequestError: naming the field.
    """
    client_body = read_object(raw)
    if client_body.get("thread") is not None:
        raise InvalidRequestError(
            "thread: whoever answers is chosen by the whole conversation, turn by turn; send all of it in messages",
            param="thread",
            details={"error_code": "thread_unsupported_request", "unsupported": ["thread"]},
        )
    try:
        return _read(raw, client_body, client_body, counting=counting)
    except InvalidRequestError as exc:
        try:
            return _read(raw, client_body, plainly(client_body), counting=counting, only_there=exc)
        except InvalidRequestError:
            raise exc from None  # it is malformed, whoever is asked


def _read(
    raw: bytes,
    client_body: dict[str, Any],
    meant: dict[str, Any],
    *,
    counting: bool,
    only_there: InvalidRequestError | None = None,
) -> MessagesRequest:
    """`meant` is what of it is to be translated."""
    known = {key: value for key, value in meant.items() if key not in _TRANSLATED and value is not None}
    body: dict[str, Any] = {key: value for key, value in known.items() if key not in _REMOTE}
    for key, remedy in _REMOTE.items():
        if meant.get(key) not in (None, []):
            refuse(key, f"cannot be translated for other models; {remedy}")
    if "context_management" in body:
        _check_context_management(body.pop("context_management"))
    one_answer(meant)
    messages = system_messages(meant.get("system")) + chat_messages(meant.get("messages"))
    body["messages"] = cached_to_the_end(messages, meant.get("cache_control"))
    body |= _limits(meant, counting=counting) | _tools(meant) | _wishes(meant)
    for place, tool in server_tools(client_body) if only_there is not None else ():
        body.setdefault("tools", []).insert(place, tool)
    if body.get("stream"):
        body["stream_options"] = {"include_usage": True}
    checked = read_chat(orjson.dumps(body))
    return MessagesRequest(
        raw=raw,
        body=checked.body,
        model=checked.model,
        stream=checked.stream,
        wants_usage=True,
        client_body=client_body,
        read_as=checked.body,
        only_there=only_there,
    )


def _limits(body: Mapping[str, Any], *, counting: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    most = body.get("max_tokens")
    if most is None and not counting:
        refuse("max_tokens", "is required: the most tokens the answer may have")
    if most is not None:
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            refuse("max_tokens", "must be a whole number of at least 1")
        found["max_completion_tokens"] = most
    if stops := list_at(body.get("stop_sequences"), "stop_sequences"):
        found["stop"] = [text_at(stop, f"stop_sequences[{i}]") for i, stop in enumerate(stops)]
    if body.get("stream") is not None:
        found["stream"] = boolean_at(body["stream"], "stream")
    return found


def _wishes(body: Mapping[str, Any]) -> dict[str, Any]:
    """Thinking, effort, the answer's form, the caller's name, the tier."""
    found: dict[str, Any] = {}
    if body.get("thinking") is not None:
        thinking = object_at(body["thinking"], "thinking")
        if thinking.get("type") not in ("enabled", "disabled", "adaptive", "between_tools"):
            refuse("thinking.type", "must be enabled, adaptive, between_tools or disabled")
        if thinking["type"] != "disabled":
            found["thinking"] = thinking
    config = object_at(body.get("output_config") or {}, "output_config")
    nothing_else(config, "output_config", {"effort", "format"}, remedy="leave it out")
    if config.get("effort") is not None:
        effort = text_at(config["effort"], "output_config.effort")
        found["reasoning_effort"] = _EFFORTS.get(effort) or refuse(
            "output_config.effort", f"must be one of {', '.join(_EFFORTS)}"
        )
    for where, form in (("output_config.format", config.get("format")), ("output_format", body.get("output_format"))):
        if form is not None:
            found["response_format"] = _response_format(object_at(form, where), where)
    metadata = object_at(body.get("metadata") or {}, "metadata")
    nothing_else(metadata, "metadata", {"user_id"}, remedy="only user_id is understood")
    if metadata.get("user_id") is not None:
        found["user"] = text_at(metadata["user_id"], "metadata.user_id")
    return found | _urgency(body)


def _urgency(body: Mapping[str, Any]) -> dict[str, Any]:
    if body.get("speed") not in (None, "standard"):
        refuse("speed", "must be standard; for a fast model say routing.policy fast")
    tier = body.get("service_tier")
    if tier not in (None, "auto", "standard_only"):
        refuse("service_tier", "must be auto or standard_only")
    return {"service_tier": "default"} if tier == "standard_only" else {}  # auto is what all do; not all know the word


def _response_format(form: Mapping[str, Any], where: str) -> dict[str, Any]:
    if form.get("type") != "json_schema":
        refuse(f"{where}.type", "must be json_schema")
    schema = object_at(form.get("schema"), f"{where}.schema")
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}


def _check_context_management(value: object) -> None:
    """Keeping all thinking is what happens anyway; any other edit would need a server that can do it."""
    edits = list_at(object_at(value, "context_management").get("edits"), "context_management.edits")
    for i, edit in enumerate(edits):
        where = f"context_management.edits[{i}]"
        wanted = object_at(edit, where)
        if not (str(wanted.get("type")).startswith("clear_thinking") and wanted.get("keep") == "all"):
            refuse(where, "cannot be done for other models; edit the conversation yourself and leave this out")


def _tools(body: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if tools := list_at(body.get("tools"), "tools"):
        found["tools"] = [_tool(object_at(tool, f"tools[{i}]"), f"tools[{i}]") for i, tool in enumerate(tools)]
    if body.get("tool_choice") is None:
        return found
    choice = object_at(body["tool_choice"], "tool_choice")
    kind = choice.get("type")
    if kind == "tool":
        name = text_at(choice.get("name"), "tool_choice.name")
        found["tool_choice"] = {"type": "function", "function": {"name": name}}
    elif kind in ("auto", "any", "none"):
        found["tool_choice"] = "required" if kind == "any" else kind
    else:
        refuse("tool_choice.type", "must be auto, any, tool or none")
    if choice.get("disable_parallel_tool_use") is not None:
        single = boolean_at(choice["disable_parallel_tool_use"], "tool_choice.disable_parallel_tool_use")
        found["parallel_tool_calls"] = not single
    return found


def _tool(tool: Mapping[str, Any], where: str) -> dict[str, Any]:
    if str(tool.get("type")).startswith("tool_search_tool_"):  # we search: see gateway.tools.offered.deferral
        return {"type": tool["type"], "name": text_at(tool.get("name"), f"{where}.name")}
    if tool.get("type") not in (None, "custom"):
        refuse(f"{where}.type", f"{tool['type']} is a tool of Anthropic's own; declare one of yours by input_schema")
    known = {*HINTS, "name", "description", "input_schema", "strict", "eager_input_streaming", "defer_loading"}
    known.add("input_examples")
    if tool.get("allowed_callers") == ["direct"]:  # what happens anyway
        known.add("allowed_callers")
    nothing_else(tool, where, known, remedy="leave it out")
    function: dict[str, Any] = {"name": text_at(tool.get("name"), f"{where}.name")}
    if tool.get("description") is not None:
        function["description"] = text_at(tool["description"], f"{where}.description")
    if examples := list_at(tool.get("input_examples"), f"{where}.input_examples"):
        lines = [orjson.dumps(example).decode() for example in examples]
        function["description"] = "\n".join([function.get("description", ""), "Examples of its input:", *lines]).strip()
    function["parameters"] = object_at(tool.get("input_schema"), f"{where}.input_schema")
    if tool.get("strict") is not None:
        function["strict"] = boolean_at(tool["strict"], f"{where}.strict")
    declared: dict[str, Any] = {"type": "function", "function": function}
    if tool.get("defer_loading") is not None and boolean_at(tool["defer_loading"], f"{where}.defer_loading"):
        declared["defer_loading"] = True
    return marked(declared, tool)
