"""Names of tools as their recipient takes them, and as the client knows them once a call comes back.

Servers of MCP call their tools what they like, and clients and this gateway put the server's name before it; OpenAI,
Gemini and others refuse what is longer than 64 characters or has a dot in it. Such a name is sent as the same short one
in every turn: its beginning, and a digest of all of it.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson

__all__ = ["NAMES", "NAMES_AT", "fitted_tools", "own_names", "renamed", "shortened"]

NAMES: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""What every provider takes that we know of, unless it is one of these."""

NAMES_AT: Final[Mapping[str, re.Pattern[str]]] = {
    "anthropic": re.compile(r"[a-zA-Z0-9_-]{1,128}"),
    "gemini": re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}"),
}

_STRANGE = re.compile(r"[^a-zA-Z0-9_-]")
_MOST_KEPT = 46  # characters of a name that stand before its digest
_SHORT = re.compile(rb'"[a-zA-Z_][a-zA-Z0-9_-]*_[0-9a-f]{16}"')  # as JSON
_KINDS = ("function", "custom")


def shortened(name: str, taken: re.Pattern[str]) -> str:
    """The name that is sent in place of this one; the very same where it is taken."""
    if taken.fullmatch(name):
        return name
    begun = _STRANGE.sub("_", name[:_MOST_KEPT])
    lead = "" if begun[:1].isalpha() or begun[:1] == "_" else "_"
    return f"{lead}{begun}_{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def fitted_tools(body: Mapping[str, Any], taken: re.Pattern[str]) -> dict[str, Any]:
    """`tools` and `tool_choice`, where they differ."""
    if not any(shortened(name, taken) != name for name in _declared(body)):
        return {}
    found: dict[str, Any] = {"tools": [renamed(tool, lambda name: shortened(name, taken)) for tool in body["tools"]]}
    if isinstance(choice := body.get("tool_choice"), Mapping):
        found["tool_choice"] = _choice(choice, lambda name: shortened(name, taken))
    return found


def renamed(named: Any, rename: Callable[[str], str]) -> Any:  # noqa: ANN401 - whatever stands in a list
    """A declaration or a call of a tool by its other name; the very same where there is none."""
    if not isinstance(named, Mapping):
        return named
    changed = {
        kind: {**inner, "name": new}
        for kind in _KINDS
        if isinstance(inner := named.get(kind), Mapping)
        and isinstance(name := inner.get("name"), str)
        and (new := rename(name)) != name
    }
    return {**named, **changed} if changed else named


def own_names(body: Mapping[str, Any], taken: re.Pattern[str]) -> Callable[[bytes], bytes] | None:
    """What puts the client's own names back into JSON that a backend answered; None where it was told no others."""
    own = {
        orjson.dumps(short): orjson.dumps(name) for name in _declared(body) if (short := shortened(name, taken)) != name
    }
    if not own:
        return None
    return lambda raw: _SHORT.sub(lambda found: own.get(found[0], found[0]), raw)


def _declared(body: Mapping[str, Any]) -> Iterator[str]:
    tools = body.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        for kind in _KINDS:
            inner = tool.get(kind) if isinstance(tool, Mapping) else None
            if isinstance(inner, Mapping) and isinstance(name := inner.get("name"), str):
                yield name


def _choice(choice: Mapping[str, Any], rename: Callable[[str], str]) -> dict[str, Any]:
    fit: dict[str, Any] = dict(renamed(choice, rename))
    allowed = choice.get("allowed_tools")
    if isinstance(allowed, Mapping) and isinstance(tools := allowed.get("tools"), list):
        fit["allowed_tools"] = {**allowed, "tools": [renamed(tool, rename) for tool in tools]}
    return fit
