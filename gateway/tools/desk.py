"""What happens to a request's tools before anybody decides about it: permissions, then the choice of the few."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import structlog

from catalog import record
from gateway.dispatch import Call, Clocks
from gateway.errors import InvalidRequestError
from gateway.keys import ApiKey
from gateway.settings import ToolSettings
from gateway.telemetry import Telemetry
from gateway.wire.answer import ChatAnswer
from gateway.wire.body import ChatRequest
from predictors.tools import ToolRisk
from router import Reading, SessionState

from .calls.checking import check_installed
from .calls.mending import AskAgain, mended
from .calls.observing import observed_in, packed
from .errors import DamagedRegistryError, UnknownRegistryError
from .indexes.sources import ToolSources
from .metrics import ToolMetrics
from .offered.deferral import HeldBack, held_back
from .offered.offer import Offer
from .offered.permissions import permitted, refuse_brought, refuse_chosen, refuse_unseen, without_forbidden_functions
from .offered.trust import riskiest, within_cap
from .offered.wishes import ToolWishes, wishes_of
from .registries import RegistryStore, StoredRegistry
from .selection.choosing import AskedForTools, ToolChooser, whole
from .selection.searching import ToolSearch
from .trail import ToolTrail

__all__ = ["Prepared", "ToolDesk"]

log = structlog.get_logger(__name__)


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
        self._sources = ToolSources(
            store, encoder=settings.encoder, metrics=self.metrics, clocks=clocks, indexes=indexes
        )
        self.shelf, self.indexes = self._sources.shelf, self._sources.indexes
        self.search = ToolSearch(self._sources, settings)
        self._chooser = ToolChooser(self._sources, settings, metrics=self.metrics, clocks=clocks)

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
        said = reading.options.tools or {}
        names_registry = bool(said.get("set"))
        if request.refusal is not None:
            refuse_unseen(request, key)
        if not request.body.get("tools") and not request.body.get("functions") and not names_registry:
            return Prepared(request=request, reading=reading)
        wishes = wishes_of(self.settings, key, reading.options.tools)
        request = without_forbidden_functions(request, wishes)
        if not request.body.get("tools") and not names_registry:
            return Prepared(request=request, reading=reading)
        _refuse_impossible(request, wishes, said)
        stored = await self._stored(wishes, key, is_said=names_registry)
        offered = await self._sources.offered(request.body, stored)
        offer = await permitted(offered, wishes)
        refuse_chosen(request, offered, offer)
        refuse_brought(request, offered, offer)
        if not len(offered):
            return Prepared(request=request, reading=reading, wishes=wishes)
        asked = AskedForTools(request=request, reading=reading, wishes=wishes, stored=stored, session=session)
        return await self._sent(asked, offer, n_offered=len(offered))

    async def mended(self, call: Call, answer: ChatAnswer, prepared: Prepared, *, ask: AskAgain) -> ChatAnswer:
        """The answer with its tool calls repaired and refined as the request wishes."""
        wishes, trail = prepared.wishes, prepared.trail
        if wishes is None or trail is None or (wishes.repair == "off" and not wishes.refine):
            return answer
        return await mended(call, answer, wishes, trail, ask=ask, metrics=self.metrics)

    def get_ready(self, label: str) -> None:
        """Read and index a registry while nobody waits for it; what goes wrong, who asks for it is told."""
        self._sources.get_ready(label)

    async def ready(self, label: str) -> None:
        """Read and index a registry, NAME or NAME@VERSION."""
        await self._sources.ready(label)

    async def load(self, label: str, *, key: ApiKey | None) -> StoredRegistry:
        """A registry, NAME or NAME@VERSION, for whoever has this key.

        Raises:
            UnknownRegistryError: there is none; a key that may use some tools only is told of no others.
            DamagedRegistryError: its file is.
        """
        return await self._sources.load(label, key=key)

    async def _stored(self, wishes: ToolWishes, key: ApiKey | None, *, is_said: bool) -> StoredRegistry | None:
        """The registry to rank over. The deployment's own may be missing or damaged; who names one is told."""
        if wishes.set is None:
            return None
        try:
            return await self._sources.load(wishes.set, key=key)
        except (UnknownRegistryError, DamagedRegistryError) as exc:
            if is_said:
                raise
            log.warning("tool_registry_missing", registry=wishes.set, kind=type(exc).__name__)
            return None

    async def _sent(self, asked: AskedForTools, offer: Offer, *, n_offered: int) -> Prepared:
        """The request with what is chosen of what its key may use."""
        held = held_back(offer)
        if held is not None and self._searches_itself(asked.reading, held):
            return self._prepared(asked, offer, whole(offer), n_offered=n_offered)
        if held is not None:
            offer, trail = held.everything, await self._chooser.found(asked, held)
        else:
            trail = await self._chooser.chosen(asked, offer)
        if asked.stored is not None and self.settings.learn:
            await self._observe(asked.messages, asked.stored, trail)
        return self._prepared(asked, offer, trail, n_offered=n_offered)

    def _searches_itself(self, reading: Reading, held: HeldBack) -> bool:
        """Whether the provider of the model that is named finds deferred tools by itself."""
        return reading.target in self.settings.native_search and not held.by_client

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

    def _prepared(self, asked: AskedForTools, offer: Offer, trail: ToolTrail, *, n_offered: int) -> Prepared:
        """The request with the tools that were chosen, for models that are trusted with them."""
        trail.n_offered = n_offered
        self.metrics.chosen(trail)
        reading = self._trusting(asked, offer, trail)
        request = _with_tools(asked.request, offer, trail)
        return Prepared(request=request, reading=reading, wishes=asked.wishes, trail=trail)

    def _trusting(self, asked: AskedForTools, offer: Offer, trail: ToolTrail) -> Reading:
        """The wishes, with a cap on the model's risk where a tool that is sent is risky."""
        cap = asked.wishes.max_agent_risk
        if cap is None:
            return asked.reading
        risk = riskiest(offer, trail.sent, declared=self.settings.risk, stored=asked.stored)
        trail.risk = risk.name.lower()
        is_risky = risk >= ToolRisk[self.settings.risky_from.upper()]
        return within_cap(asked.reading, cap) if is_risky else asked.reading


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
