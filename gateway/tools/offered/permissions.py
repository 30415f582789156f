"""What a key leaves of the tools that a request brings: all else comes after."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

import orjson

from gateway.errors import ForbiddenError, InvalidRequestError
from gateway.keys import ApiKey
from gateway.wire.body import ChatRequest
from gateway.wire.responses.plain import is_hosted

from .deferral import is_clients_search, is_search
from .offer import Offer, choices_in, name_in
from .reader import in_pieces
from .wishes import ToolWishes

__all__ = [
    "is_restricted",
    "permitted",
    "refuse_brought",
    "refuse_chosen",
    "refuse_unseen",
    "without_forbidden_functions",
]

_CHOICES: Final = frozenset(
    {"allowed_tools", "any", "auto", "custom", "function", "none", "tool"}
)  # of no kind of tool
_HOLDING: Final = frozenset({"custom", "function", "functions", "tools"})  # where a declaration has another inside
_BRINGING: Final = ("tool_search_output", "additional_tools")  # items of Responses that bring tools with them


def is_restricted(key: ApiKey | None) -> bool:
    """Whether there are tools that it may not use."""
    return key is not None and bool(key.tools_allow or key.tools_deny)


def refuse_unseen(request: ChatRequest, key: ApiKey | None) -> None:
    """Tools of MCP servers that a provider connects to are known to it alone: no list of ours can admit them.

    Raises:
        ForbiddenError: such come, and the key's tools are restricted.
    """
    declared = request.as_sent.get("tools")
    listed = declared if isinstance(declared, list) else []
    is_server = any(isinstance(tool, dict) and tool.get("type") == "mcp" for tool in listed)
    param = "mcp_servers" if request.as_sent.get("mcp_servers") else "tools" if is_server else None
    if param is not None and is_restricted(key):
        problem = (
            f"this key's tools are restricted, and those of servers in {param} cannot be told apart; leave them out"
        )
        raise ForbiddenError(problem, param=param)


def refuse_brought(request: ChatRequest, offered: Offer, left: Offer) -> None:
    """Tools that a conversation brings along pass with it where only their provider reads it: these must be left out.

    Raises:
        ForbiddenError: one of them is a tool that the key may not use.
    """
    if request.refusal is None or len(left) == len(offered):
        return
    given = request.as_sent.get("input")
    items = [item for item in (given if isinstance(given, list) else ()) if isinstance(item, Mapping)]
    brought = {name for item in items if item.get("type") in _BRINGING for name in _names(item.get("tools"))}
    if denied := sorted(brought & (offered.readable.keys() - left.readable.keys())):
        raise _forbidden(denied[0], "input")


def refuse_chosen(request: ChatRequest, offered: Offer, left: Offer) -> None:
    """What a provider runs itself is chosen by its kind, which chat has no word for, and would be asked for anyway.

    Raises:
        ForbiddenError: `tool_choice` is about a tool that the key may not use.
    """
    if len(left) == len(offered):
        return
    gone = offered.declared.keys() - left.declared.keys()
    there = {str(entry.get("type")) for entry in left.declared.values()}
    for entry in choices_in(request.as_sent.get("tool_choice")):
        name, space, kind = name_in(entry), entry.get("namespace"), str(entry.get("type"))
        whole = f"{space}__{name}" if space else name
        if whole is not None and whole in gone and whole in offered.readable:
            raise _forbidden(whole, "tool_choice")
        if name is None and kind not in _CHOICES | there and not gone <= offered.readable.keys():
            raise _forbidden(kind, "tool_choice")


def without_forbidden_functions(request: ChatRequest, wishes: ToolWishes) -> ChatRequest:
    """The request without the `functions` that the key may not use: what chat called tools before it had `tools`.

    Raises:
        InvalidRequestError: `functions`, or `tools`, are no lists of objects, so that nobody can tell what they name.
        ForbiddenError: `function_call` names one of them.
    """
    if not wishes.restricts:
        return request
    for field in ("tools", "functions"):
        given = request.body.get(field)
        if given and not (isinstance(given, list) and all(isinstance(entry, Mapping) for entry in given)):
            raise InvalidRequestError(f"{field}: must be a list of objects", param=field)
    functions = request.body.get("functions")
    if not functions:
        return request
    kept = [function for function in functions if _may_use(wishes, function.get("name"))]
    called = request.body.get("function_call")
    if isinstance(called, Mapping) and not _may_use(wishes, called.get("name")):
        raise _forbidden(str(called.get("name")), "function_call")
    if len(kept) == len(functions):
        return request
    body = {**request.body, "functions": kept}
    if not kept:
        for name in ("functions", "function_call"):
            body.pop(name, None)
    return replace(request, body=body, raw=orjson.dumps(body) if type(request) is ChatRequest else request.raw)


async def permitted(offer: Offer, wishes: ToolWishes) -> Offer:
    """Permissions come first: what a key may not use is neither ranked nor sent.

    A search tool uses none of the others, so a list of allowed tools need not name it.

    Raises:
        ForbiddenError: `tool_choice` names a tool that the key may not use.
    """
    if not wishes.restricts:
        return offer
    kept: set[str] = set()
    async for some in in_pieces(tuple(offer.declared)):
        kept.update(tool_id for tool_id in some if _is_permitted(offer, tool_id, wishes))
    if denied := sorted(offer.forced & offer.readable.keys() - kept):
        raise _forbidden(denied[0], "tool_choice")
    return offer.only(kept)


def _is_permitted(offer: Offer, tool_id: str, wishes: ToolWishes) -> bool:
    entry = offer.declared[tool_id]
    if tool_id in offer.readable:
        return wishes.may_use(tool_id) or (is_clients_search(entry) and wishes.may_search(tool_id))
    if not _HOLDING.isdisjoint(entry):
        return False  # something in it has a name that nobody here can read
    if is_search(entry):
        return wishes.may_search(str(entry["type"]))
    return is_hosted(entry) and wishes.may_use_kind(str(entry["type"]))


def _names(declared: object, prefix: str = "") -> Iterator[str]:
    """Of functions and custom tools, and of those of namespaces as chat calls them."""
    for tool in declared if isinstance(declared, list) else ():
        if isinstance(tool, Mapping) and tool.get("type") == "namespace":
            yield from _names(tool.get("tools"), f"{tool.get('name')}__")
        elif isinstance(tool, Mapping):
            yield f"{prefix}{tool.get('name')}"


def _may_use(wishes: ToolWishes, name: object) -> bool:
    return isinstance(name, str) and wishes.may_use(name)


def _forbidden(name: str, param: str) -> ForbiddenError:
    return ForbiddenError(f"this key may not use the tool {name!r:.80}; choose another", param=param)
