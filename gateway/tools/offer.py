"""The tools that a request brought, and what its conversation says about them."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import orjson

from predictors.tokens import estimate_tokens
from predictors.tools import InvalidToolError, Tool

__all__ = ["Event", "Offer", "events_of", "read_offer", "text_of"]

_LAST_CHARS = 2_000  # of a long message, these are what retrieval reads: the question mostly stands at the end


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What the conversation says about tools at one point: somebody asked for something, or a tool was called."""

    asked: str | None = None
    called: str | None = None


@dataclass(frozen=True, kw_only=True)
class Offer:
    """The declarations of a request in its order, each under an id.

    The id is the tool's name; a declaration that cannot be read, or repeats a name, is known by its place alone and is
    never judged.
    """

    declared: Mapping[str, Mapping[str, Any]]  # id -> as the client declared it, in chat's shape
    readable: Mapping[str, Tool]
    forced: frozenset[str]  # named by `tool_choice`

    def __len__(self) -> int:
        return len(self.declared)

    @cached_property
    def digest(self) -> str:
        """Names the content, in any order."""
        lines = sorted(orjson.dumps(entry, option=orjson.OPT_SORT_KEYS) for entry in self.declared.values())
        return blake2b(b"\n".join(lines), digest_size=16).hexdigest()

    @cached_property
    def tokens(self) -> Mapping[str, int]:
        """Id -> about how many tokens its declaration takes in a prompt."""
        return {
            tool_id: round(estimate_tokens(json.dumps(entry, ensure_ascii=False)))
            for tool_id, entry in self.declared.items()
        }

    def only(self, tool_ids: Collection[str]) -> "Offer":
        """The same offer without the others."""
        return Offer(
            declared={tool_id: entry for tool_id, entry in self.declared.items() if tool_id in tool_ids},
            readable={tool_id: tool for tool_id, tool in self.readable.items() if tool_id in tool_ids},
            forced=self.forced,
        )


def read_offer(body: Mapping[str, Any]) -> Offer:
    """The offer of a body in chat's shape; what is no list of objects is the backend's to judge, and offers nothing."""
    tools = body.get("tools")
    declared: dict[str, Mapping[str, Any]] = {}
    readable: dict[str, Tool] = {}
    for place, entry in enumerate(tools if isinstance(tools, list) else ()):
        if not isinstance(entry, Mapping):
            return Offer(declared={}, readable={}, forced=frozenset())
        try:
            tool: Tool | None = Tool.from_openai(entry)
        except InvalidToolError:
            tool = None
        if tool is None or not tool.name or tool.name in declared:
            declared[f"#{place}"] = entry
        else:
            declared[tool.name] = entry
            readable[tool.name] = tool
    return Offer(declared=declared, readable=readable, forced=_forced(body.get("tool_choice")))


def events_of(messages: object) -> tuple[Event, ...]:
    """What was asked and called, in order."""
    found: list[Event] = []
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, Mapping):
            continue
        if message.get("role") == "user" and (text := text_of(message.get("content"))):
            found.append(Event(asked=text[-_LAST_CHARS:]))
        elif message.get("role") == "assistant":
            found += [Event(called=name) for name in _called(message.get("tool_calls"))]
    return tuple(found)


def text_of(content: object) -> str:
    """The text of a message's content, its parts joined by line breaks."""
    if isinstance(content, str):
        return content
    parts: Sequence[object] = content if isinstance(content, list) else ()
    texts = [part["text"] for part in parts if isinstance(part, Mapping) and isinstance(part.get("text"), str)]
    return "\n".join(texts)


def _called(calls: object) -> list[str]:
    found = []
    for call in calls if isinstance(calls, list) else ():
        function = call.get("function") if isinstance(call, Mapping) else None
        if isinstance(function, Mapping) and isinstance(function.get("name"), str):
            found.append(function["name"])
    return found


def _forced(choice: object) -> frozenset[str]:
    if not isinstance(choice, Mapping):
        return frozenset()
    allowed = choice.get("allowed_tools")
    entries = [choice, *(allowed.get("tools") or ())] if isinstance(allowed, Mapping) else [choice]
    functions = [entry.get("function") for entry in entries if isinstance(entry, Mapping)]
    return frozenset(f["name"] for f in functions if isinstance(f, Mapping) and isinstance(f.get("name"), str))
