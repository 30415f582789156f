"""What happens to a request's tools before anybody decides about it: permissions, then the choice of the few."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import structlog

from catalog import record
from gateway.dispatch import Call, Clocks
from gateway.errors import InvalidRequestError, OverloadedError
from gateway.keys import ApiKey
from gateway.server.memory import set_aside
from gateway.settings import ToolSettings
from gateway.telemetry import Telemetry
from gateway.wire.answer import ChatAnswer
from gateway.wire.body import ChatRequest
from predictors.tools import ToolRegistry, ToolRisk, ToolUsage
from router import Reading, SessionState

from .checking import check_installed
from .cutting import choose_tools
from .deferral import HeldBack, held_back, with_references
from .errors import InvalidRegistryError, UnknownRegistryError
from .found import ANOTHER_VERSION, ToolsFound
from .kept_indexes import KeptIndexes
from .mending import AskAgain, mended
from .metrics import ToolMetrics
from .observing import observed_in, packed
from .offer import Event, Offer, digest_of, events_of, read_offer
from .permissions import (
    is_restricted,
    permitted,
    refuse_brought,
    refuse_chosen,
    refuse_unseen,
    without_forbidden_functions,
)
from .reader import OfferReader
from .registries import RegistryStore, StoredRegistry
from .registry_indexes import RegistryIndexes
from .shelf import IndexShelf, ToolIndex, open_encoder
from .trail import ToolTrail
from .trust import riskiest, within_cap
from .wishes import ToolWishes, wishes_of

__all__ = ["Prepared", "ToolDesk"]

log = structlog.get_logger(__name__)

_MANY = 5_000  # tools: to look through the objects of more for garbage takes longer than a request should wait
_SEARCH_WAITS_S = 30.0  # for an index; who searches gets nothing sent instead
_MOST_SENT_WHOLE = 128  # tools of a registry for want of a choice; OpenAI takes no more


@record
class Prepared:
    """The request as it is decided about and sent."""

    request: ChatRequest
    reading: Reading
    wishes: ToolWishes | None = None
    trail: ToolTrail | None = None  # None where there were no tools to choose from


class ToolDesk:
    """Every door's tools pass here."""

    def __init__(
        self,
        settings: ToolSettings,
        *,
        store: RegistryStore,
        telemetry: Telemetry,
        clocks: Clocks,
        indexes: Path | None = None,
    ) -> None:
        """Nothing is read or indexed yet.

        Args:
            settings: `[tools]`.
            store: of the registries.
            telemetry: counts what is done.
            clocks: of the gateway.
            indexes: the folder that keeps indexes over registries for the next start; None keeps none.
        """
        self.settings, self.store = settings, store
        self.metrics = ToolMetrics(telemetry.registry)
        self.shelf = IndexShelf(lambda: open_encoder(settings.encoder), told=self.metrics.index)
        kept = KeptIndexes(indexes) if indexes is not None else None
        self.indexes = RegistryIndexes(self.shelf, kept=kept, clocks=clocks)
        self._getting_ready: set[asyncio.Task[None]] = set()
        self._reader = OfferReader()
        self._clocks = clocks

    async def prepare(
        self, request: ChatRequest, reading: Reading, *, key: ApiKey | None, session: SessionState | None = None
    ) -> Prepared:
        """The request with the tools that its key may use and its question needs.

        Whatever goes wrong with the choice, all permitted tools that came with the request are sent.

        Raises:
            ForbiddenError: `tool_choice` names a tool that the key may not use, or tools come that nobody here sees.
            UnknownRegistryError: `routing.tools.set` names no registry.
            OverloadedError: it names one too large to be sent whole, and nothing can be chosen from it yet.
        """
        said = reading.options.tools
        if request.refusal is not None:
            refuse_unseen(request, key)
        if not request.body.get("tools") and not request.body.get("functions") and not (said and said.get("set")):
            return Prepared(request=request, reading=reading)
        wishes = wishes_of(self.settings, key, said)
        request = without_forbidden_functions(request, wishes)
        if not request.body.get("tools") and not (said and said.get("set")):
            return Prepared(request=request, reading=reading)
        _refuse_impossible(request, wishes, said or {})
        stored = await self._stored(wishes, key, is_said=bool(said and said.get("set")))
        offered = await self._offered(request, stored)
        offer = await permitted(offered, wishes)
        refuse_chosen(request, offered, offer)
        refuse_brought(request, offered, offer)
        if not len(offered):
            return Prepared(request=request, reading=reading, wishes=wishes)
        messages = reading.messages if reading.messages is not None else request.body.get("messages")
        held = held_back(offer)
        if held is not None:
            if reading.target in self.settings.native_search and not held.by_client:
                whole = ToolTrail(n_offered=len(offered), sent=tuple(offer.declared), how="whole")
                return self._as_chosen(request, reading, wishes=wishes, offer=offer, trail=whole, stored=stored)
            found = await self._found(request, reading, held, stored, wishes, n_offered=len(offered))
            if stored is not None and found.trail is not None and self.settings.learn:
                await self._observe(messages, stored, found.trail)
            return found
        came = bool(request.body.get("tools"))
        trail = await self._choose(
            offer, stored, events_of(messages), wishes, session=session, body=request.body, came=came
        )
        trail.n_offered = len(offered)
        if stored is not None and self.settings.learn:
            await self._observe(messages, stored, trail)
        return self._as_chosen(request, reading, wishes=wishes, offer=offer, trail=trail, stored=stored)

    def _as_chosen(
        self,
        request: ChatRequest,
        reading: Reading,
        *,
        wishes: ToolWishes,
        offer: Offer,
        trail: ToolTrail,
        stored: StoredRegistry | None,
    ) -> Prepared:
        """The request with the tools that were chosen, for models that are trusted with them."""
        self.metrics.chosen(trail)
        reading = self._trusting(reading, wishes, offer, trail, stored)
        return Prepared(request=_with_tools(request, offer, trail), reading=reading, wishes=wishes, trail=trail)

    async def _found(
        self,
        request: ChatRequest,
        reading: Reading,
        held: HeldBack,
        stored: StoredRegistry | None,
        wishes: ToolWishes,
        *,
        n_offered: int,
    ) -> Prepared:
        """What is loaded, and behind it what a search among the deferred tools finds."""
        messages = reading.messages if reading.messages is not None else request.body.get("messages")
        events = with_references(events_of(messages), request.as_sent)
        events = tuple(event for event in events if event.told is None)  # naming a deferred tool does not load it
        if held.by_client:
            found = _loaded_by_client(held.deferred, events, wishes.always)
        else:
            searching = replace(wishes, select="auto", above=0, top_k=self.settings.search_limit)
            found = await self._choose(
                held.deferred, stored, events, searching, session=None, body={"tool_choice": None}, searched=True
            )
        how = "deferred" if found.how == "cut" else found.how
        trail = replace(found, n_offered=n_offered, sent=(*held.loaded.declared, *found.sent), how=how)
        return self._as_chosen(request, reading, wishes=wishes, offer=held.everything, trail=trail, stored=stored)

    async def _stored(self, wishes: ToolWishes, key: ApiKey | None, *, is_said: bool) -> StoredRegistry | None:
        """The registry to rank over. The deployment's own may be missing or damaged; who names one is told."""
        if wishes.set is None:
            return None
        try:
            return await self.load(wishes.set, key=key)
        except (UnknownRegistryError, InvalidRegistryError) as exc:
            if is_said:
                raise
            log.warning("tool_registry_missing", registry=wishes.set, kind=type(exc).__name__)
            return None

    async def _observe(self, messages: object, stored: StoredRegistry, trail: ToolTrail) -> None:
        """Note which calls came back, for the record: tools by their names, what was asked as a vector."""
        seen = observed_in(messages)
        if seen is None:
            return
        calls = [{"tool": name, "ok": worked} for name, worked in seen.calls if name in stored.by_name]
        if calls:
            vector = (await asyncio.to_thread(lambda: self.shelf.encoder.encode([seen.asked])))[0]
            trail.observed, trail.vector, trail.registry = calls, packed(vector), stored.label
            trail.encoder = self.shelf.encoder.name

    def _trusting(
        self, reading: Reading, wishes: ToolWishes, offer: Offer, trail: ToolTrail, stored: StoredRegistry | None
    ) -> Reading:
        """The wishes, with a cap on the model's risk where a tool that is sent is risky."""
        if wishes.max_agent_risk is None:
            return reading
        risk = riskiest(offer, trail.sent, declared=self.settings.risk, stored=stored)
        trail.risk = risk.name.lower()
        is_risky = risk >= ToolRisk[self.settings.risky_from.upper()]
        return within_cap(reading, wishes.max_agent_risk) if is_risky else reading

    async def _choose(
        self,
        offer: Offer,
        stored: StoredRegistry | None,
        events: Sequence[Event],
        wishes: ToolWishes,
        *,
        session: SessionState | None,
        body: Mapping[str, Any],
        came: bool = True,
        searched: bool = False,
    ) -> ToolTrail:
        """What is sent of an offer.

        Args:
            offer: of what the key may use.
            stored: the registry to rank over.
            events: of the conversation.
            wishes: how many, how good, how large.
            session: of the conversation, where it is remembered.
            body: of the request.
            came: its tools came with the request, not from a registry it names.
            searched: tools that the registry does not know are ranked as well, where they are else always sent.
        """
        whole = ToolTrail(n_offered=len(offer), sent=tuple(offer.declared), how="whole")
        if wishes.select == "off" or len(offer) <= wishes.above or body.get("tool_choice") == "none":
            return whole
        began_s = self._clocks.monotonic()
        earlier = tuple(session.tools) if session is not None and session.tools and _has_past(body) else None
        may_be_whole = came or len(offer) <= _MOST_SENT_WHOLE
        why = "index_not_ready"
        try:
            async with asyncio.timeout(self.settings.deadline_ms / 1e3 if may_be_whole else _SEARCH_WAITS_S):
                index = await self.index_over(offer, stored, searched=searched)
            why = "failed"
            sent = await choose_tools(offer, index, events, wishes, earlier=earlier)
            told = ANOTHER_VERSION if index.stands_in else None
            trail = replace(whole, sent=sent, how="cut", why=told, registry=stored.label if stored else None)
        except Exception as exc:  # whatever it is: a request with too many tools is better than none
            log.warning("tool_selection_failed", kind=type(exc).__name__, offered=len(offer))
            why = why if isinstance(exc, TimeoutError) else "failed"
            if not may_be_whole:
                raise _nothing_chosen(why) from exc
            trail = replace(whole, how="failed_open", why=why)
        self.metrics.took(self._clocks.monotonic() - began_s)
        return trail

    async def mended(self, call: Call, answer: ChatAnswer, prepared: Prepared, *, ask: AskAgain) -> ChatAnswer:
        """The answer with its tool calls repaired and refined as the request wishes."""
        wishes, trail = prepared.wishes, prepared.trail
        if wishes is None or trail is None or (wishes.repair == "off" and not wishes.refine):
            return answer
        return await mended(call, answer, wishes, trail, ask=ask, metrics=self.metrics)

    async def search(
        self,
        query: str,
        *,
        label: str | None,
        key: ApiKey | None,
        declared: Sequence[Mapping[str, Any]] | None = None,
        top_k: int = 10,
        min_score: float = 0.0,
        category: str | None = None,
    ) -> ToolsFound:
        """The tools that serve a request.

        Raises:
            InvalidRequestError: neither a registry nor tools are named.
            UnknownRegistryError: there is no such registry.
            OverloadedError: its index is not ready yet.
        """
        label = label or self.settings.set
        if label is None and not declared:
            raise InvalidRequestError("set: name a registry, or send tools", param="set")
        stored = await self.load(label, key=key) if label is not None and not declared else None
        if declared:
            offered = await self._reader.read({"tools": list(declared)})
        else:
            offered = await self._offer_of(stored, {}) if stored else read_offer({})
        offer = await permitted(offered, wishes_of(self.settings, key, None))
        if category is not None and stored is not None:
            offer = offer.only({t.name for t in stored.tools if t.category == category})
        if not len(offer):
            return ToolsFound(tools=[], searched=stored.label if stored else None)
        try:
            async with asyncio.timeout(_SEARCH_WAITS_S):
                index = await self.index_over(offer, stored)
        except TimeoutError as exc:
            raise _nothing_chosen("index_not_ready") from exc
        ranking = (await index.rank_apart([query], k=max(top_k, 1)))[0]
        ranked = zip(ranking.tool_ids, ranking.scores, strict=True)
        searched = stored.label if stored else None
        return ToolsFound(
            tools=[
                {**_described(offer.declared[name]), "score": round(float(score), 6), "set": searched}
                for name, score in ranked
                if score >= min_score
            ],
            searched=searched,
            selection=ANOTHER_VERSION if index.stands_in else None,
        )

    async def index_over(self, offer: Offer, stored: StoredRegistry | None, *, searched: bool = False) -> ToolIndex:
        """An index over what of the offer can be ranked: over the request's own words, or over a stored registry.

        What a registry does not know is ranked beside what it knows where all of the offer is `searched`.
        """
        if stored is None or (searched and offer.readable.keys().isdisjoint(stored.by_name)):
            chars = sum(len(t.name) + len(t.description) + len(t.parameters) for t in offer.readable.values())
            return await self.shelf.index(
                offer.digest, lambda: self.shelf.fit(_registry_of(offer), ToolUsage()), brought=chars
            )
        index = await self.indexes.of(stored)
        hidden = [name for name in stored.by_name if name not in offer.declared]
        strangers = [tool for name, tool in offer.readable.items() if searched and name not in stored.by_name]
        if not hidden and not strangers:
            return index
        part = offer.digest if strangers else digest_of(name.encode() for name in hidden)
        return await self.shelf.index(
            f"{stored.label}/{part}", lambda: index.over(stored.registry.without(hidden).with_tools(strangers))
        )

    async def _offered(self, request: ChatRequest, stored: StoredRegistry | None) -> Offer:
        """The request's own tools; a request without any means those of the registry that it names."""
        offer = await self._reader.read(request.body)
        return offer if len(offer) or stored is None else await self._offer_of(stored, request.body)

    async def _offer_of(self, stored: StoredRegistry, body: Mapping[str, Any]) -> Offer:
        """All tools of a registry, as if the body had brought them."""
        return await self._reader.read({**body, "tools": stored.declarations}, known_as=stored.label)

    def get_ready(self, label: str) -> None:
        """Read and index a registry while nobody waits for it; what goes wrong, who asks for it is told."""
        task = asyncio.create_task(self.ready(label))
        self._getting_ready.add(task)
        task.add_done_callback(self._getting_ready.discard)

    async def ready(self, label: str) -> None:
        """Read and index a registry, NAME or NAME@VERSION."""
        try:
            stored = await self._read(label)
            await self.indexes.of(stored)
            await self._offer_of(stored, {})
            await self.indexes.fitted(stored)  # another's may have stood in for it so far
            await self.indexes.of(stored)
            if len(stored.tools) > _MANY:
                set_aside()
            log.info("tool_registry_ready", registry=stored.label, tools=len(stored.tools))
        except Exception as exc:  # noqa: BLE001 - nobody asked for it yet
            log.warning("tool_registry_not_ready", registry=label, kind=type(exc).__name__)

    async def load(self, label: str, *, key: ApiKey | None) -> StoredRegistry:
        """A registry, NAME or NAME@VERSION, for whoever has this key.

        Raises:
            UnknownRegistryError: there is none; a key that may use some tools only is told of no others.
            InvalidRegistryError: its file is damaged.
        """
        try:
            return await self._read(label)
        except UnknownRegistryError as exc:
            if is_restricted(key):
                raise UnknownRegistryError(label, known=None) from exc
            raise

    async def _read(self, label: str) -> StoredRegistry:
        """A registry, read in a thread where that is yet to be done."""
        if self.store.is_read(label):
            return self.store.load(label)

        def read() -> StoredRegistry:
            stored = self.store.load(label)
            for _ in (stored.registry.digest, stored.by_name, stored.declarations):
                pass  # what every request needs of it
            return stored

        return await asyncio.to_thread(read)


def _loaded_by_client(deferred: Offer, events: Sequence[Event], always: Collection[str]) -> ToolTrail:
    """Of the deferred tools, those that the conversation names: what else is needed, the client will find."""
    called = [event.called for event in events if event.called is not None]
    named = dict.fromkeys([*sorted(always), *called, *sorted(deferred.forced)])
    sent = tuple(tool_id for tool_id in named if tool_id in deferred.declared)
    return ToolTrail(n_offered=len(deferred), sent=sent, how="deferred")


def _nothing_chosen(why: str) -> OverloadedError:
    problem = "is not ready yet" if why == "index_not_ready" else "cannot be used now"
    return OverloadedError(f"the index over these tools {problem}; try again", retry_after_s=5.0)


def _refuse_impossible(request: ChatRequest, wishes: ToolWishes, said: Mapping[str, Any]) -> None:
    """What a request asks for by name is done or refused; a deployment's own `repair` leaves streams alone."""
    asked = {"refine": bool(wishes.refine), "repair": said.get("repair", "off") != "off"}
    for name in (name for name, wanted in asked.items() if wanted and request.stream):
        field = f"routing.tools.{name}"
        raise InvalidRequestError(
            f"{field}: what is streamed cannot be taken back; leave out stream, or {name}", param=field
        )
    if wishes.repair != "off":
        check_installed()


def _registry_of(offer: Offer) -> ToolRegistry:
    return ToolRegistry(tools=tuple(offer.readable.values()), name="request")


def _described(entry: Mapping[str, Any]) -> dict[str, Any]:
    function = entry.get("function", entry.get("custom", entry))
    return {name: function[name] for name in ("name", "description", "parameters") if name in function}


def _has_past(body: Mapping[str, Any]) -> bool:
    return any(isinstance(m, Mapping) and m.get("role") == "assistant" for m in body.get("messages") or ())


def _with_tools(request: ChatRequest, offer: Offer, trail: ToolTrail) -> ChatRequest:
    """The same request with these tools; the client's own bytes where nothing changes."""
    tools = [dict(offer.declared[tool_id]) for tool_id in trail.sent]
    if tools == request.body.get("tools"):
        return request
    body = {**request.body, "tools": tools}
    if not tools:  # an empty list is refused by some backends, and a choice among nothing by most
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            body.pop(name, None)
    return replace(request, body=body, raw=orjson.dumps(body) if type(request) is ChatRequest else request.raw)
