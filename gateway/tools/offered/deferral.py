"""Tools that clients declare with `defer_loading`, beside a search tool that is to find them.

OpenAI, Anthropic and the gateways that follow them let the model call the search tool and then load what it found.
Here the search is made beforehand, by what the conversation asks for: the search tool and the deferred tools stay out
of the prompt, and what is found stands behind the tools that are loaded, so that a prompt cache keeps its beginning.
Nothing is asked twice, and streams work alike. What a client's own search has found (`tool_reference`) is loaded too;
where the client says that it searches (`execution: "client"`), nothing else is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .offer import Event, Offer, text_of

__all__ = ["HeldBack", "held_back", "is_clients_search", "is_search", "with_references"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """An offer with deferred tools, taken apart; without search tools, and without marks that backends do not know."""

    loaded: Offer
    deferred: Offer
    by_client: bool = False  # the client makes the search: what it has found is loaded, and nothing else is looked for

    @property
    def everything(self) -> Offer:
        """Both together."""
        return Offer(
            declared={**self.loaded.declared, **self.deferred.declared},
            readable={**self.loaded.readable, **self.deferred.readable},
            forced=self.loaded.forced,
        )


def held_back(offer: Offer) -> HeldBack | None:
    """The parts of an offer that defers tools or brings a search tool; None where it does neither."""
    marked = {tool_id: offer.declared[tool_id] for tool_id in offer.marked}
    searches = {tool_id for tool_id, entry in marked.items() if is_search(entry)}
    deferred = {tool_id for tool_id, entry in marked.items() if _is_deferred(entry)} - searches
    by_client = any(is_clients_search(entry) for entry in marked.values())
    if not searches and not deferred and not by_client:
        return None
    loaded = offer.declared.keys() - searches - deferred
    return HeldBack(loaded=_unmarked(offer.only(loaded)), deferred=_unmarked(offer.only(deferred)), by_client=by_client)


def with_references(events: Sequence[Event], told: Mapping[str, Any] | None) -> tuple[Event, ...]:
    """The events, and among them what a Messages conversation refers to as found: as if it had been called.

    A reference stands behind the question that was asked last before it, ahead of all calls, so that the tools that
    are loaded by one turn stay where they are in the next.
    """
    found = _references(told)
    if not found:
        return tuple(events)
    joined: list[Event] = []
    n_asked = 0
    for event in events:
        joined.append(event)
        if event.asked is not None:
            n_asked += 1
            joined += [Event(called=name) for name in found.pop(n_asked, ())]
    left = [Event(called=name) for _, names in sorted(found.items()) for name in names]
    return (*joined, *left)


def _references(told: Mapping[str, Any] | None) -> dict[int, list[str]]:
    """Names that the client's own search or Anthropic's has found, by how many questions were asked before."""
    found: dict[int, list[str]] = {}
    n_asked = 0
    messages = (told or {}).get("messages")
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, Mapping) else None
        if names := list(_named_within(content)):
            found.setdefault(n_asked, []).extend(names)
        if isinstance(message, Mapping) and message.get("role") == "user" and text_of(content):
            n_asked += 1
    return found


def _named_within(value: object) -> Iterator[str]:
    for block in value if isinstance(value, list) else (value,):
        if not isinstance(block, Mapping):
            continue
        if block.get("type") == "tool_reference" and isinstance(block.get("tool_name"), str):
            yield block["tool_name"]
        for key in ("content", "tool_references"):
            if isinstance(block.get(key), list | Mapping):
                yield from _named_within(block[key])


def is_clients_search(entry: Mapping[str, Any]) -> bool:
    """Whether this is a search tool that the client answers itself; calling it uses no tool."""
    function = entry.get("function")
    named = isinstance(function, Mapping) and function.get("name") == "tool_search"
    return named and entry.get("execution") == "client"


def is_search(entry: Mapping[str, Any]) -> bool:
    """Whether this stands for a search that a provider, or the gateway, makes."""
    kind = entry.get("type")
    return isinstance(kind, str) and (kind.startswith("tool_search_tool_") or kind.endswith("tool_search"))


def _is_deferred(entry: Mapping[str, Any]) -> bool:
    function = entry.get("function")
    inside = isinstance(function, Mapping) and function.get("defer_loading") is True
    return inside or entry.get("defer_loading") is True


def _unmarked(offer: Offer) -> Offer:
    def plain(entry: Mapping[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in entry.items() if key not in ("defer_loading", "execution")}
        if isinstance(kept.get("function"), Mapping):
            kept["function"] = {key: value for key, value in kept["function"].items() if key != "defer_loading"}
        return kept

    declared = {tool_id: plain(entry) for tool_id, entry in offer.declared.items()}
    return Offer(declared=declared, readable=offer.readable, forced=offer.forced)
