"""The tools of a Responses request, told as chat's functions, and calls of them named back in Responses' words.

Chat has neither namespaces nor searches. A function of a namespace goes by `NAMESPACE__NAME`. A search that the client
makes itself (`tool_search` with `execution: "client"`) is a function that the model calls; its call goes back as a
`tool_search_call`, and the tools that the client then returns in `tool_search_output` are declared behind all others,
so that a prompt cache keeps its beginning. A search that the server makes is the gateway's: see
`gateway.tools.offered.deferral`.

Source of the shapes: OpenAI's guide to tool search, and the types of its SDK.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from gateway.wire.fields import list_at, nothing_else, object_at, refuse, text_at

from .custom import custom_function

__all__ = [
    "SEARCH",
    "called_item",
    "chat_name",
    "chat_tools",
    "found_names",
    "is_search_call",
    "made_by_client",
    "search_arguments",
]

SEARCH: Final = "tool_search"
_LOADING: Final = ("tool_search_output", "additional_tools")  # items that bring tools into a conversation
_PATHS: Final = {  # parameters of a client's search that declares none
    "type": "object",
    "properties": {"paths": {"type": "array", "items": {"type": "string"}, "description": "Names to load."}},
    "required": ["paths"],
}
_MOST_NAMED: Final = 4_000  # characters of names that a search's description lists


def chat_tools(body: Mapping[str, Any]) -> dict[str, Any]:
    """`tools` and `tool_choice` of the chat request.

    Raises:
        InvalidRequestError: naming the field.
    """
    found: dict[str, Any] = {}
    given = list_at(body.get("tools"), "tools")
    declared = [entry for i, tool in enumerate(given) for entry in _declared(tool, f"tools[{i}]")]
    loaded = {_name(entry): entry for entry in _loaded(body.get("input"))}
    # A deferred tool that is loaded by now stands behind all others; one that never was deferred stays in its place.
    standing = {_name(entry) for entry in declared if "defer_loading" not in entry}
    kept = [entry for entry in declared if _name(entry) in standing or _name(entry) not in loaded]
    tools = [*kept, *(entry for name, entry in loaded.items() if name not in standing)]
    if tools:
        found["tools"] = _with_search(tools)
    choice = body.get("tool_choice")
    if isinstance(choice, str):
        found["tool_choice"] = choice
    elif choice is not None:
        found["tool_choice"] = _tool_choice(object_at(choice, "tool_choice"))
    return found


def chat_name(item: Mapping[str, Any], where: str) -> str:
    """The name of the function that an item names, in chat."""
    name = text_at(item.get("name"), f"{where}.name")
    if item.get("namespace") is None:
        return name
    return f"{text_at(item['namespace'], f'{where}.namespace')}__{name}"


def found_names(item: Mapping[str, Any], where: str) -> str:
    """What a model is told of a search's result: which tools it can call from now on."""
    names = [
        entry["function"]["name"]
        for i, tool in enumerate(list_at(item.get("tools"), f"{where}.tools"))
        for entry in _declared(tool, f"{where}.tools[{i}]")
    ]
    return f"These tools are loaded now: {', '.join(names)}" if names else "No tool was found."


def made_by_client(item: Mapping[str, Any]) -> bool:
    """Whether an item is of a search that the client made; a search by the server has no call to answer."""
    return item.get("execution") == "client" or (item.get("execution") is None and item.get("call_id") is not None)


def is_search_call(name: str, body: Mapping[str, Any]) -> bool:
    """Whether a call of this name is the search that the client makes itself."""
    return name == SEARCH and any(_is_clients_search(tool) for tool in body.get("tools") or ())


def called_item(name: str, body: Mapping[str, Any]) -> dict[str, str]:
    """The client's own words for a function of chat: its name, and its namespace where it has one."""
    if "__" in name:
        given = [*(body.get("tools") or ()), *_brought(body.get("input"))]
        for space in (tool for tool in given if isinstance(tool, Mapping) and tool.get("type") == "namespace"):
            prefix = f"{space.get('name')}__"
            if any(prefix + str(member.get("name")) == name for member in space.get("tools") or ()):
                return {"name": name.removeprefix(prefix), "namespace": str(space["name"])}
    return {"name": name}


def search_arguments(text: str) -> object:
    """What the model said to the search: parsed where it is JSON, for the client wants an object."""
    try:
        return orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return text


def _loaded(given: object) -> Iterator[dict[str, Any]]:
    """Declarations of the tools that the conversation has loaded, in order."""
    for at, item in enumerate(given if isinstance(given, list) else ()):
        if isinstance(item, Mapping) and item.get("type") in _LOADING:
            for i, tool in enumerate(list_at(item.get("tools"), f"input[{at}].tools")):
                for entry in _declared(tool, f"input[{at}].tools[{i}]"):
                    yield {key: value for key, value in entry.items() if key != "defer_loading"}


def _brought(given: object) -> Iterator[object]:
    """What `_loaded` translates, as the client has it."""
    for item in given if isinstance(given, list) else ():
        if isinstance(item, Mapping) and item.get("type") in _LOADING:
            yield from item.get("tools") or ()


def _declared(tool: object, where: str) -> list[dict[str, Any]]:
    """One entry of `tools` in chat's shape; a namespace is as many as it has functions."""
    tool = object_at(tool, where)
    match tool.get("type"):
        case "function":
            return [_function(tool, where)]
        case "custom":
            return [custom_function(tool, where)]
        case "namespace":
            nothing_else(tool, where, {"type", "name", "description", "tools"}, remedy="leave it out")
            members = list_at(tool.get("tools"), f"{where}.tools")
            return [_member(tool, object_at(m, f"{where}.tools[{i}]"), where, i) for i, m in enumerate(members)]
        case "tool_search":
            return [_search(tool, where)]
        case kind:
            remedy = "declare a function or a custom tool, or have it in responses.optional_tools"
            return refuse(f"{where}.type", f"{kind} runs at its provider only; {remedy}")


def _function(tool: Mapping[str, Any], where: str) -> dict[str, Any]:
    known = {"type", "name", "description", "parameters", "strict", "defer_loading"}
    if tool.get("allowed_callers") == ["direct"]:  # what happens anyway
        known.add("allowed_callers")
    nothing_else(tool, where, known, remedy="leave it out")
    function = {"name": text_at(tool.get("name"), f"{where}.name")}
    function |= {k: tool[k] for k in ("description", "parameters", "strict") if tool.get(k) is not None}
    declared: dict[str, Any] = {"type": "function", "function": function}
    return {**declared, "defer_loading": True} if tool.get("defer_loading") is True else declared


def _member(space: Mapping[str, Any], tool: Mapping[str, Any], where: str, place: int) -> dict[str, Any]:
    """A function of a namespace; what the namespace says of itself stands behind what the function says."""
    inside = f"{where}.tools[{place}]"
    if tool.get("type") != "function":
        refuse(f"{inside}.type", f"{tool.get('type')} has no translation; declare a tool of type function")
    declared = _function(tool, inside)
    function = declared["function"]
    function["name"] = f"{text_at(space.get('name'), f'{where}.name')}__{function['name']}"
    descriptions = (function.get("description"), space.get("description"))
    function["description"] = "\n".join(text for text in descriptions if isinstance(text, str) and text)
    return declared


def _search(tool: Mapping[str, Any], where: str) -> dict[str, Any]:
    execution = tool.get("execution") or "server"
    if execution not in ("server", "client"):
        refuse(f"{where}.execution", "must be server or client")
    known = {"type", "execution", *(("description", "parameters") if execution == "client" else ())}
    nothing_else(tool, where, known, remedy="only a search that the client makes has it; leave it out")
    if execution == "server":
        return {"type": SEARCH}
    function = {
        "name": SEARCH,
        "description": tool.get("description") or "Loads tools that are not loaded yet, by their names.",
        "parameters": tool.get("parameters") or _PATHS,
    }
    return {"type": "function", "function": function, "execution": "client"}


def _with_search(tools: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A client's search gets the names of what it could load, for the model to choose from; others are unchanged."""
    searches = [at for at, tool in enumerate(tools) if _name(tool) == SEARCH]
    clients = [at for at in searches if tools[at].get("execution") == "client"]
    if clients and len(clients) < len(searches):
        refuse("tools", f"two tools are called {SEARCH}; give the function another name")
    deferred = ", ".join(_name(tool) for tool in tools if tool.get("defer_loading"))
    told = list(tools)
    for at in clients if deferred else ():
        function = tools[at]["function"]
        said = function["description"]
        named = f"{said}\nTools to load: {deferred}"[: len(said) + _MOST_NAMED]
        told[at] = {**tools[at], "function": {**function, "description": named}}
    return told


def _name(entry: Mapping[str, Any]) -> str:
    function = entry.get("function")
    return str(function["name"]) if isinstance(function, Mapping) else ""


def _is_clients_search(tool: object) -> bool:
    return isinstance(tool, Mapping) and tool.get("type") == "tool_search" and tool.get("execution") == "client"


def _tool_choice(choice: Mapping[str, Any]) -> dict[str, Any]:
    match choice.get("type"):
        case "function" | "custom":
            return {"type": "function", "function": {"name": chat_name(choice, "tool_choice")}}
        case "allowed_tools":
            tools = [object_at(t, "tool_choice.tools") for t in list_at(choice.get("tools"), "tool_choice.tools")]
            named = [{"type": "function", "function": {"name": chat_name(t, "tool_choice.tools")}} for t in tools]
            allowed = {"mode": choice.get("mode", "auto"), "tools": named}
            return {"type": "allowed_tools", "allowed_tools": allowed}
        case kind:
            return refuse("tool_choice.type", f"{kind} cannot be translated; choose auto, none, required or a function")
