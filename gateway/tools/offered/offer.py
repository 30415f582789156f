"""The tools that a request brought, and what its conversation says about them."""

import json
import re
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import orjson

from gateway.wire.fields import SHOWN_BY
from predictors.tokens import estimate_tokens
from predictors.tools import InvalidToolError, Tool

__all__ = [
    "Event",
    "Offer",
    "choices_in",
    "digest_of",
    "events_of",
    "name_in",
    "named_in",
    "read_offer",
    "reading_offer",
    "text_of",
]

_WORDS = re.compile(r"[\w.-]+")
_FIRST_CHARS = 100_000  # of instructions: only these are searched for names of tools
_LAST_CHARS = 2_000  # of a user's message: retrieval reads only these, for the question mostly stands at the end


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What the conversation says about tools at one point: the instructions, what the user asked, or a call."""

    told: str | None = None
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
    needs_call: bool = False  # `tool_choice` asks for a call, whichever
    known_digest: str | None = None  # `digest`, where it was computed while the offer was read
    known_marked: tuple[str, ...] | None = None  # `marked`, likewise

    def __len__(self) -> int:
        return len(self.declared)

    @cached_property
    def digest(self) -> str:
        """Of all declarations, the same in whatever order they stand."""
        return self.known_digest or digest_of(map(_digest_of_entry, self.declared.values()))

    @cached_property
    def marked(self) -> tuple[str, ...]:
        """Ids of what is more than a plain function: search tools, and functions that say whether they are deferred."""
        if self.known_marked is not None:
            return self.known_marked
        return tuple(tool_id for tool_id, entry in self.declared.items() if _is_marked(entry))

    @cached_property
    def tokens(self) -> Mapping[str, int]:
        """Id -> about how many tokens its declaration takes in a prompt; counted when it is asked for."""
        return _TokensByTool(self.declared)

    def only(self, tool_ids: Collection[str]) -> "Offer":
        """The same offer without the others."""
        return Offer(
            declared={tool_id: entry for tool_id, entry in self.declared.items() if tool_id in tool_ids},
            readable={tool_id: tool for tool_id, tool in self.readable.items() if tool_id in tool_ids},
            forced=self.forced,
            needs_call=self.needs_call,
        )


def read_offer(body: Mapping[str, Any]) -> Offer:
    """The offer of a body in chat's shape: none where `tools` is no list of objects; backends refuse that."""
    reading = reading_offer(body, at_once=None)
    while True:
        try:
            next(reading)
        except StopIteration as done:
            offer: Offer = done.value
            return offer


def reading_offer(body: Mapping[str, Any], *, at_once: int | None) -> Generator[None, None, Offer]:
    """`read_offer` with a pause after every so many tools, in which others can have their turn.

    Where there are pauses, the digest is computed on the way: later it would be one long step without any.
    """
    tools = body.get("tools")
    declared: dict[str, Mapping[str, Any]] = {}
    readable: dict[str, Tool] = {}
    digests: list[bytes] = []
    marked: list[str] = []
    for place, entry in enumerate(tools if isinstance(tools, list) else ()):
        if not isinstance(entry, Mapping):
            return Offer(declared={}, readable={}, forced=frozenset())
        if at_once is not None:
            digests.append(_digest_of_entry(entry))
            if place % at_once == at_once - 1:
                yield
        tool = _read(entry)
        if tool is not None and tool.name and tool.name not in declared:
            tool_id = tool.name
            readable[tool_id] = tool
        else:
            tool_id = _place_of(place, declared)
        declared[tool_id] = entry
        if _is_marked(entry):
            marked.append(tool_id)
    return Offer(
        declared=declared,
        readable=readable,
        forced=_forced(body.get("tool_choice")),
        needs_call=body.get("tool_choice") == "required",
        known_digest=digest_of(digests) if at_once is not None else None,
        known_marked=tuple(marked),
    )


def digest_of(parts: Iterable[bytes]) -> str:
    """One digest of these, the same in whatever order they come."""
    return blake2b(b"\n".join(sorted(parts)), digest_size=16).hexdigest()


def events_of(messages: object) -> tuple[Event, ...]:
    """What was told, asked and called, in order."""
    found: list[Event] = []
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, Mapping):
            continue
        role = message.get("role")
        if role == "user" and (text := _asked(message.get("content"))):
            found.append(Event(asked=text[-_LAST_CHARS:]))
        elif role in {"system", "developer"} and (text := text_of(message.get("content"))):
            found.append(Event(told=text[:_FIRST_CHARS]))
        elif role == "assistant":
            found += [Event(called=name) for name in _called(message.get("tool_calls"))]
    return tuple(found)


def named_in(text: str) -> frozenset[str]:
    """All that could be a tool's name in a text; a name with dots also without what stands before or behind them."""
    found = set(_WORDS.findall(text))
    return frozenset(found.union(*(word.split(".") for word in found), (word.strip(".") for word in found)))


def choices_in(choice: object) -> tuple[Mapping[str, Any], ...]:
    """What `tool_choice` is about: in chat's words, or in other doors', which some backends take here too."""
    if not isinstance(choice, Mapping):
        return ()
    allowed = choice.get("allowed_tools")
    listed = (allowed if isinstance(allowed, Mapping) else choice).get("tools")
    entries = listed if isinstance(listed, list) else ()
    return (choice, *(entry for entry in entries if isinstance(entry, Mapping)))


def name_in(value: object) -> str | None:
    """The name of the tool that a call, or a choice, is about: of a function, of a custom tool, or of neither."""
    if not isinstance(value, Mapping):
        return None
    inside = next((value[key] for key in ("function", "custom") if isinstance(value.get(key), Mapping)), value)
    name = inside.get("name")
    return name if isinstance(name, str) else None


def text_of(content: object) -> str:
    """The text of a message's content, its parts joined by line breaks."""
    if isinstance(content, str):
        return content
    parts: Sequence[object] = content if isinstance(content, list) else ()
    texts = [part["text"] for part in parts if isinstance(part, Mapping) and isinstance(part.get("text"), str)]
    return "\n".join(texts)


class _TokensByTool(Mapping[str, int]):
    """Counted one by one: of ten thousand declarations only those that may be sent are ever asked for."""

    def __init__(self, declared: Mapping[str, Mapping[str, Any]]) -> None:
        self._declared, self._counted = declared, dict[str, int]()

    def __getitem__(self, tool_id: str) -> int:
        if tool_id not in self._counted:
            text = json.dumps(self._declared[tool_id], ensure_ascii=False)
            self._counted[tool_id] = round(estimate_tokens(text))
        return self._counted[tool_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)

    def __contains__(self, tool_id: object) -> bool:
        return tool_id in self._declared  # without counting it


def _read(entry: Mapping[str, Any]) -> Tool | None:
    """The tool under the name that a call of it would bear; None where there is none to be read."""
    try:
        return Tool.from_openai(entry if entry.get("type") != "custom" else {"function": entry.get("custom", entry)})
    except InvalidToolError:
        return None


def _place_of(place: int, taken: Collection[str]) -> str:
    """An id that is no tool's: one could be called like a place, and then stand for what is declared there."""
    tool_id = f"#{place}"
    while tool_id in taken:
        tool_id += "#"
    return tool_id


def _is_marked(entry: Mapping[str, Any]) -> bool:
    function = entry.get("function")
    return (
        entry.get("type") != "function"
        or "defer_loading" in entry
        or "execution" in entry
        or (isinstance(function, dict) and "defer_loading" in function)
    )


def _digest_of_entry(entry: Mapping[str, Any]) -> bytes:
    return blake2b(orjson.dumps(entry, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def _asked(content: object) -> str:
    """What a user says, without the words that were put before a tool's pictures."""
    if not isinstance(content, list):
        return text_of(content)
    return "\n".join(text for part in content if not (text := text_of([part])).startswith(SHOWN_BY) and text)


def _called(calls: object) -> list[str]:
    return [name for call in (calls if isinstance(calls, list) else ()) if (name := name_in(call)) is not None]


def _forced(choice: object) -> frozenset[str]:
    return frozenset(name for entry in choices_in(choice) if (name := name_in(entry)) is not None)
