"""OpenAI's Responses, told as a chat request, and as they came where only OpenAI itself can answer.

What chat has no word for goes to OpenAI alone; where it is not among the backends, it is refused, with the field and
the remedy. So is everywhere what one would have to ask for again later (`background`) or what is written down elsewhere
(`prompt`). What refers to a stored Response is in `input` by now (`gateway.stored`). Four things are no loss and are
let go: whether to store, whether to pad a stream, whether to summarise reasoning (the Response says what was made of
these), and what Codex tells OpenAI of itself (`client_metadata`), which strict servers of chat would refuse. Encrypted
reasoning of another provider means nothing to anybody else and stays behind (see `bound`).

Source of the shapes: OpenAI's API reference, Responses.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import orjson

from catalog import OPENAI_RESPONSES, PoolEntry
from gateway.errors import InvalidRequestError
from gateway.wire.answer import ChatAnswer
from gateway.wire.body import read_chat, read_object
from gateway.wire.compatibility import adapted_fields
from gateway.wire.fields import SHOWN_BY, list_at, nothing_else, object_at, one_answer, refuse, text_at
from gateway.wire.own_protocol import OwnProtocolRequest
from gateway.wire.reasoning_signatures import sealed_blocks
from gateway.wire.variants import BY_RESPONSES

from .custom import custom_arguments
from .native import responses_body
from .passing import PassingResponse, read_response
from .plain import hosted_tools, plainly, without_optional
from .tools import SEARCH, chat_name, chat_tools, found_names, made_by_client

__all__ = ["ResponsesRequest", "read_responses"]

_TRANSLATED = frozenset(
    {
        "client_metadata",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "metadata",
        "previous_response_id",
        "reasoning",
        "store",
        "stream_options",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "truncation",
    }
)
_REMOTE = {  # what only a server that keeps conversations, or runs tools, can do
    "background": "leave it out and wait for the answer",
    "context_management": "nothing is compacted here; shorten the input yourself",
    "conversation": "go on by previous_response_id, or send the whole conversation in input",
    "max_tool_calls": "no tools run here; count the calls yourself",
    "prompt": "no prompts are stored here; send the prompt itself in input",
}
_IN_CHATS_SHAPE = ("tools", "tool_choice")  # who asks for what only OpenAI has names tools as OpenAI takes them
_INCLUDED = ("message.output_text.logprobs", "reasoning.encrypted_content")
_TEXTS = ("input_text", "output_text", "text")
_USUAL_REASONING = {"context": "auto", "mode": "standard"}  # what happens anyway


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsesRequest(OwnProtocolRequest):
    """What a client asked of `/v1/responses`."""

    own_protocol: ClassVar = OPENAI_RESPONSES
    own_path: ClassVar = "/responses"
    own_stream: ClassVar = PassingResponse
    own_prefix: ClassVar = "resp_"
    goes_there_anyway: ClassVar = False

    @property
    def is_kept_there(self) -> bool:
        """See `ChatRequest.is_kept_there`: OpenAI keeps what it is not told not to."""
        return self.only_there is not None and self.client_body.get("store") is not False

    def _own_body(self, model_name: str, *, without: Collection[str], recipient: PoolEntry) -> bytes:
        before, now = self.read_as.get("tools"), self.body.get("tools")
        otherwise = adapted_fields(self.body, recipient, asked_for=self.model)
        changes = {
            name: value for name, value in otherwise.items() if name in self.client_body and name not in _IN_CHATS_SHAPE
        }
        if "max_completion_tokens" in otherwise:
            changes["max_output_tokens"] = otherwise["max_completion_tokens"]
        return responses_body(
            self.raw,
            self.client_body,
            model=self.model,
            model_name=model_name.removeprefix(BY_RESPONSES),
            without=without,
            changes=changes,
            tools=None if now is before else (before or (), now or ()),
        )

    def _read_own(self, raw: bytes, *, backend_id: str) -> ChatAnswer:
        return read_response(raw, backend_id=backend_id)


def read_responses(raw: bytes, *, optional_tools: Collection[str] = ()) -> ResponsesRequest:
    """The chat request that a Responses request means.

    Args:
        raw: the client's body.
        optional_tools: kinds of tools that run at OpenAI, and without which it may be answered by others.

    Raises:
        InvalidRequestError: naming the field.
    """
    client_body = read_object(raw)
    try:
        return _read(raw, client_body, client_body)
    except InvalidRequestError as exc:
        if optional_tools and (slim := _without(raw, client_body, optional_tools)) is not None:
            return slim
        try:
            return _read(raw, client_body, plainly(client_body), only_there=exc)
        except InvalidRequestError:
            raise exc from None  # it is malformed, or can be done nowhere


def _without(raw: bytes, client_body: dict[str, Any], optional_tools: Collection[str]) -> ResponsesRequest | None:
    """The request without such tools; None where it has none, or asks for more that others cannot do."""
    slim, kinds = without_optional(client_body, optional_tools)
    if not kinds:
        return None
    try:
        return replace(_read(raw, slim, slim), left_out=kinds)
    except InvalidRequestError:
        return None


def _read(
    raw: bytes, client_body: dict[str, Any], meant: dict[str, Any], *, only_there: InvalidRequestError | None = None
) -> ResponsesRequest:
    """`meant` is what of it is to be translated."""
    for key, remedy in _REMOTE.items():
        if meant.get(key) not in (None, False):
            refuse(key, f"is not available here; {remedy}")
    one_answer(meant)
    if not isinstance(meant.get("store"), bool | None):
        refuse("store", "must be true or false")
    known = {key: value for key, value in meant.items() if key not in _TRANSLATED and value is not None}
    body: dict[str, Any] = {key: value for key, value in known.items() if key not in _REMOTE}
    body["messages"] = _instructions(meant.get("instructions")) + _messages(meant.get("input"))
    body |= _limits(meant) | _form(meant) | chat_tools(meant) | _included(meant)
    for place, tool in hosted_tools(client_body) if only_there is not None else ():
        body.setdefault("tools", []).insert(place, tool)
    if body.get("stream"):
        body["stream_options"] = {"include_usage": True}
    checked = read_chat(orjson.dumps(body))
    return ResponsesRequest(
        raw=raw,
        body=checked.body,
        model=checked.model,
        stream=checked.stream,
        wants_usage=True,
        client_body=client_body,
        read_as=checked.body,
        only_there=only_there,
    )


def _limits(body: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    most = body.get("max_output_tokens")
    if most is not None:
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            refuse("max_output_tokens", "must be a whole number of at least 1")
        found["max_completion_tokens"] = most
    if body.get("truncation") not in (None, "disabled"):
        refuse("truncation", "must be disabled: nothing is cut out of a conversation here; shorten the input yourself")
    return found


def _form(body: Mapping[str, Any]) -> dict[str, Any]:
    """How the answer shall look, and how hard to think about it."""
    found: dict[str, Any] = {}
    text = object_at(body.get("text") or {}, "text")
    nothing_else(text, "text", {"format", "verbosity"}, remedy="leave it out")
    if text.get("verbosity") is not None:
        found["verbosity"] = text_at(text["verbosity"], "text.verbosity")
    form = object_at(text.get("format") or {"type": "text"}, "text.format")
    match form.get("type"):
        case "text":
            pass
        case "json_object":
            found["response_format"] = {"type": "json_object"}
        case "json_schema":
            object_at(form.get("schema"), "text.format.schema")
            schema = {key: value for key, value in form.items() if key != "type" and value is not None}
            found["response_format"] = {"type": "json_schema", "json_schema": schema}
        case kind:
            refuse("text.format.type", f"{kind} cannot be translated; choose text, json_object or json_schema")
    reasoning = object_at(body.get("reasoning") or {}, "reasoning")
    usual = {key for key, value in _USUAL_REASONING.items() if reasoning.get(key) == value}
    known = {"effort", "summary", "generate_summary", *usual}
    nothing_else(reasoning, "reasoning", known, remedy="leave it out")
    if reasoning.get("effort") is not None:
        found["reasoning_effort"] = text_at(reasoning["effort"], "reasoning.effort")
    return found


def _included(body: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for i, name in enumerate(list_at(body.get("include"), "include")):
        if name not in _INCLUDED:
            refuse(f"include[{i}]", f"there is no {name} here; choose from {', '.join(_INCLUDED)}")
        if name == "message.output_text.logprobs":
            found["logprobs"] = True
    if body.get("top_logprobs") is not None:
        found |= {"logprobs": True, "top_logprobs": body["top_logprobs"]}
    return found


def _instructions(instructions: object) -> list[dict[str, Any]]:
    if instructions is None or instructions == "":
        return []
    return [{"role": "developer", "content": text_at(instructions, "instructions")}]


def _messages(given: object) -> list[dict[str, Any]]:
    if isinstance(given, str) and given:
        return [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        refuse("input", "must be a text or a list with at least one item")
    turns = _Turns()
    for i, item in enumerate(given):
        turns.add(object_at(item, f"input[{i}]"), f"input[{i}]")
    return turns.messages


class _Turns:
    """Items one by one; what one turn of the assistant did becomes one message, as chat wants it."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self._shown: dict[str, Any] | None = None  # the last message of what tools showed

    def add(self, item: Mapping[str, Any], where: str) -> None:
        """One more item."""
        match item.get("type", "message"):
            case "message":
                self._message(item, where)
            case "function_call" | "custom_tool_call":
                self._assistant().setdefault("tool_calls", []).append(_call(item, where))
            case "function_call_output" | "custom_tool_call_output":
                call_id = text_at(item.get("call_id"), f"{where}.call_id")
                self._result(call_id, *_output(item.get("output"), f"{where}.output"))
            case "tool_search_call" | "tool_search_output" if made_by_client(item):
                self._client_search(item, where)
            case "tool_search_call" | "tool_search_output" | "additional_tools":
                pass  # tools that these bring are declared with the others; a search of the server's needs no words
            case "reasoning":
                if blocks := sealed_blocks(item.get("encrypted_content")):
                    self._assistant(fresh=True).setdefault("thinking_blocks", []).extend(blocks)
            case "item_reference":
                refuse(where, "nothing is stored here; send the item itself")
            case kind:
                refuse(f"{where}.type", f"{kind} cannot be translated; send messages, function calls and their outputs")

    def _result(self, call_id: str, text: str, pictures: list[dict[str, Any]]) -> None:
        """What a tool returned; its pictures come once all tools of the turn have: chat wants results together."""
        self._bring_back(call_id)
        shown = self.messages.pop() if self.messages and self.messages[-1] is self._shown else None
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": text})
        if pictures:
            shown = shown or {"role": "user", "content": []}
            shown["content"] += [{"type": "text", "text": f"{SHOWN_BY} {call_id}:"}, *pictures]
        if shown is not None:
            self.messages.append(shown)
            self._shown = shown

    def _bring_back(self, call_id: str) -> None:
        """Put the turn that made a call to the end: chat wants the result right behind it, Responses anywhere later.

        What came in between, such as the question that Semantic Kernel says again, then stands before that turn.
        """
        begin = next((at for at in range(len(self.messages) - 1, -1, -1) if _calls(self.messages[at], call_id)), None)
        if begin is None:
            return  # a result of nothing is for whoever is asked to judge
        end = begin + 1
        while begin > 0 and self.messages[begin - 1]["role"] == "assistant":
            begin -= 1
        while end < len(self.messages) and (
            self.messages[end]["role"] in {"assistant", "tool"} or self.messages[end] is self._shown
        ):
            end += 1
        if end < len(self.messages):
            self.messages = [*self.messages[:begin], *self.messages[end:], *self.messages[begin:end]]

    def _client_search(self, item: Mapping[str, Any], where: str) -> None:
        if item["type"] == "tool_search_call":
            self._assistant().setdefault("tool_calls", []).append(_search_call(item, where))
            return
        self._result(text_at(item.get("call_id"), f"{where}.call_id"), found_names(item, where), [])

    def _message(self, item: Mapping[str, Any], where: str) -> None:
        role = item.get("role")
        known = {"type", "role", "content", "id", "status", "phase"}
        nothing_else(item, where, known, remedy="leave it out")
        if role not in ("user", "assistant", "system", "developer"):
            refuse(f"{where}.role", "must be user, assistant, system or developer")
        content, where = item.get("content"), f"{where}.content"
        if not isinstance(content, str):
            parts = [
                _part(object_at(p, f"{where}[{n}]"), f"{where}[{n}]") for n, p in enumerate(list_at(content, where))
            ]
            content = parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts or ""
        if role == "assistant":
            message = self._assistant(fresh=True)
            if message["content"] is not None:  # the turn goes on: a message of chat has one text
                message = self._assistant(always=True)
            message["content"] = content
        else:
            self.messages.append({"role": role, "content": content})

    def _assistant(self, *, fresh: bool = False, always: bool = False) -> dict[str, Any]:
        """The assistant's message that this item belongs to. A text or a thought after calls begins a new one."""
        last = self.messages[-1] if self.messages else {}
        if always or last.get("role") != "assistant" or (fresh and "tool_calls" in last):
            last = {"role": "assistant", "content": None}
            self.messages.append(last)
        return last


def _calls(message: Mapping[str, Any], call_id: str) -> bool:
    return any(call["id"] == call_id for call in message.get("tool_calls", ()))


def _call(item: Mapping[str, Any], where: str) -> dict[str, Any]:
    if item["type"] == "custom_tool_call":
        arguments = custom_arguments(text_at(item.get("input"), f"{where}.input"))
    else:
        arguments = text_at(item.get("arguments"), f"{where}.arguments")
    function = {"name": chat_name(item, where), "arguments": arguments}
    return {"id": text_at(item.get("call_id"), f"{where}.call_id"), "type": "function", "function": function}


def _search_call(item: Mapping[str, Any], where: str) -> dict[str, Any]:
    arguments = item.get("arguments")
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments or {}).decode()
    call_id = text_at(item.get("call_id"), f"{where}.call_id")
    return {"id": call_id, "type": "function", "function": {"name": SEARCH, "arguments": text}}


def _output(output: object, where: str) -> tuple[str, list[dict[str, Any]]]:
    """What a tool returned: its text, and what chat lets only users send."""
    if isinstance(output, str):
        return output, []
    parts = [_part(object_at(p, f"{where}[{n}]"), f"{where}[{n}]") for n, p in enumerate(list_at(output, where))]
    return "\n".join(p["text"] for p in parts if p["type"] == "text"), [p for p in parts if p["type"] != "text"]


def _part(part: Mapping[str, Any], where: str) -> dict[str, Any]:
    kind = part.get("type")
    if kind in _TEXTS:
        return {"type": "text", "text": text_at(part.get("text"), f"{where}.text")}
    match kind:
        case "refusal":
            return {"type": "refusal", "refusal": text_at(part.get("refusal"), f"{where}.refusal")}
        case "input_image":
            if part.get("image_url") is None:
                refuse(f"{where}.file_id", "no files are stored here; send the image itself as a data URL in image_url")
            image = {"url": text_at(part["image_url"], f"{where}.image_url")}
            if part.get("detail") is not None:
                image["detail"] = text_at(part["detail"], f"{where}.detail")
            return {"type": "image_url", "image_url": image}
        case "input_file":
            if part.get("file_data") is None:
                refuse(where, "no files are stored or fetched here; send the file itself in file_data")
            file = {"file_data": text_at(part["file_data"], f"{where}.file_data")}
            if part.get("filename") is not None:
                file["filename"] = text_at(part["filename"], f"{where}.filename")
            return {"type": "file", "file": file}
        case "input_audio":
            return {"type": "input_audio", "input_audio": object_at(part.get("input_audio"), f"{where}.input_audio")}
        case _:
            return refuse(f"{where}.type", f"{kind} cannot be translated; send input_text, input_image or input_file")
