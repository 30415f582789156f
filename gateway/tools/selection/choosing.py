"""Which tools of an offer are sent: all of them, the few that the question needs, or what a search finds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from catalog import record
from gateway.dispatch import Clocks
from gateway.errors import OverloadedError
from gateway.settings import ToolSettings
from gateway.tools.indexes.sources import ToolSources
from gateway.tools.metrics import ToolMetrics
from gateway.tools.offered.deferral import HeldBack, with_references
from gateway.tools.offered.offer import Event, Offer, events_of
from gateway.tools.offered.wishes import ToolWishes
from gateway.tools.registries import StoredRegistry
from gateway.tools.trail import ToolTrail
from gateway.wire.body import ChatRequest
from router import Reading, SessionState

from .cutting import choose_tools
from .found import ANOTHER_VERSION

__all__ = ["AskedForTools", "ToolChooser", "nothing_chosen", "whole"]

log = structlog.get_logger(__name__)

_MOST_SENT_WHOLE = 128  # tools of a registry for want of a choice; OpenAI takes no more


@record
class AskedForTools:
    """One request, and what its tools are chosen by."""

    request: ChatRequest
    reading: Reading
    wishes: ToolWishes
    stored: StoredRegistry | None  # the registry to rank over
    session: SessionState | None  # of the conversation, where it is remembered

    @property
    def messages(self) -> object:
        """Of the conversation, without what must not leave."""
        return self.reading.messages if self.reading.messages is not None else self.request.body.get("messages")


class ToolChooser:
    """Chooses for every door. Whatever goes wrong, tools that came with the request are sent, all of them."""

    def __init__(self, sources: ToolSources, settings: ToolSettings, *, metrics: ToolMetrics, clocks: Clocks) -> None:
        """Nothing is indexed yet."""
        self._sources, self._deadline_s, self._search_limit = sources, settings.deadline_ms / 1e3, settings.search_limit
        self._metrics, self._clocks = metrics, clocks

    async def chosen(self, asked: AskedForTools, offer: Offer) -> ToolTrail:
        """What is sent of what the key may use.

        Raises:
            OverloadedError: nothing can be chosen, and the tools are those of a registry too large to be sent whole.
        """
        body, wishes, session = asked.request.body, asked.wishes, asked.session
        if wishes.select == "off" or len(offer) <= wishes.above or body.get("tool_choice") == "none":
            return whole(offer)
        came = bool(body.get("tools"))  # with the request, not from a registry that it names
        return await self._cut(
            offer,
            events_of(asked.messages),
            wishes,
            stored=asked.stored,
            earlier=tuple(session.tools) if session is not None and session.tools and _has_past(body) else None,
            may_be_whole=came or len(offer) <= _MOST_SENT_WHOLE,
        )

    async def found(self, asked: AskedForTools, held: HeldBack) -> ToolTrail:
        """What is loaded, and behind it what a search among the deferred tools finds."""
        events = with_references(events_of(asked.messages), asked.request.as_sent)
        events = tuple(event for event in events if event.told is None)  # naming a deferred tool does not load it
        if held.by_client:
            found = _loaded_by_client(held.deferred, events, asked.wishes.always)
        elif not len(held.deferred):
            found = whole(held.deferred)
        else:
            wishes = replace(asked.wishes, select="auto", above=0, top_k=self._search_limit)
            found = await self._cut(held.deferred, events, wishes, stored=asked.stored, searched=True)
        how = "deferred" if found.how == "cut" else found.how
        return replace(found, sent=(*held.loaded.declared, *found.sent), how=how)

    async def _cut(
        self,
        offer: Offer,
        events: Sequence[Event],
        wishes: ToolWishes,
        *,
        stored: StoredRegistry | None,
        earlier: tuple[str, ...] | None = None,
        may_be_whole: bool = True,
        searched: bool = False,
    ) -> ToolTrail:
        """The few that rank best.

        Args:
            offer: of what the key may use.
            events: of the conversation.
            wishes: how many, how good, how large.
            stored: the registry to rank over.
            earlier: what was sent with the conversation's last turn.
            may_be_whole: all are sent where none can be chosen; else the request waits longer, and is refused then.
            searched: tools that the registry does not know are ranked as well, where they are else always sent.
        """
        began_s = self._clocks.monotonic()
        why = "index_not_ready"
        try:
            deadline_s = self._deadline_s if may_be_whole else None
            index = await self._sources.index_over(offer, stored, searched=searched, within_s=deadline_s)
            why = "failed"
            sent = await choose_tools(offer, index, events, wishes, earlier=earlier)
            told = ANOTHER_VERSION if index.stands_in else None
            registry = stored.label if stored else None
            trail = ToolTrail(n_offered=len(offer), sent=sent, how="cut", why=told, registry=registry)
        except Exception as exc:  # whatever it is: a request with too many tools is better than none
            log.warning("tool_selection_failed", kind=type(exc).__name__, offered=len(offer))
            why = why if isinstance(exc, TimeoutError) else "failed"
            if not may_be_whole:
                raise nothing_chosen(why) from exc
            trail = replace(whole(offer), how="failed_open", why=why)
        self._metrics.took(self._clocks.monotonic() - began_s)
        return trail


def whole(offer: Offer) -> ToolTrail:
    """All of it is sent."""
    return ToolTrail(n_offered=len(offer), sent=tuple(offer.declared), how="whole")


def nothing_chosen(why: str) -> OverloadedError:
    """Of an index that is not ready or failed, where nothing can be sent in place of a choice."""
    problem = "is not ready yet" if why == "index_not_ready" else "cannot be used now"
    return OverloadedError(f"the index over these tools {problem}; try again", retry_after_s=5.0)


def _loaded_by_client(deferred: Offer, events: Sequence[Event], always: Collection[str]) -> ToolTrail:
    """Of the deferred tools, those that the conversation names: what else is needed, the client will find."""
    called = [event.called for event in events if event.called is not None]
    named = dict.fromkeys([*sorted(always), *called, *sorted(deferred.forced)])
    sent = tuple(tool_id for tool_id in named if tool_id in deferred.declared)
    return ToolTrail(n_offered=len(deferred), sent=sent, how="deferred")


def _has_past(body: Mapping[str, Any]) -> bool:
    return any(isinstance(m, Mapping) and m.get("role") == "assistant" for m in body.get("messages") or ())
