"""Decisions without inference: about what is served here, or about any models of the catalog."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace

from catalog import Backend
from gateway.dispatch import Dispatcher
from gateway.governance.governor import Governor
from gateway.serving import Serving, ServingFactory
from gateway.wire.body import ChatRequest
from router import Reading

__all__ = ["PoolShelf"]

_MAX_POOLS = 8
_ALL = frozenset({"all", "*"})


class PoolShelf:
    """Keeps the pools that were asked about last: binding a predictor to the whole catalog takes a moment."""

    def __init__(self, dispatcher: Dispatcher, make: ServingFactory, *, governor: Governor) -> None:
        self._dispatcher, self._make, self._governor = dispatcher, make, governor
        self._pools: OrderedDict[tuple[str, ...], tuple[Serving, Serving]] = OrderedDict()
        self._making = asyncio.Lock()

    async def decide(
        self,
        request: ChatRequest,
        reading: Reading,
        headers: Mapping[str, str],
        *,
        started_s: float,
    ) -> dict[str, object]:
        """The decision as callers read it. Nothing is called, kept or changed by it.

        Where the caller allows certain models, catalog models without a backend here take part, and the answer says
        which they are. A key's list of models holds here too, and its requests are counted; its dollars are not.

        Raises:
            RateLimitedError, ForbiddenError: the key allows no more, or not this model.
        """
        key = self._governor.caller(headers)
        await self._governor.consult(key)
        serving = self._dispatcher.serving
        if reading.options.allow:
            serving = await self._including(reading.options.allow)
            allow = tuple("*" if glob in _ALL else glob for glob in reading.options.allow)
            reading = replace(reading, options=replace(reading.options, allow=allow))
        reading = self._governor.restricted(key, reading, serving)
        call = await self._dispatcher.decide(
            request, headers, started_s=started_s, serving=serving, dry_run=True, reading=reading
        )
        decision = call.decision
        ranked = [decision.pool.entries[p] for p in decision.ranking]
        chosen = ranked[0]
        return {
            "object": "routing.decision",
            "dry_run": True,
            "route": decision.policy,
            "reason": decision.reason,
            "models": list(dict.fromkeys(entry.profile.id for entry in ranked)),
            "backend": chosen.backend.id if chosen.backend else None,
            "callable": chosen.backend is not None,
            "without_backend": sorted({e.profile.id for e in ranked if e.backend is None}),
            "trace_id": call.decision_id,
            "session_id": call.options.session_id,
            "pinned": decision.reason == "session",
            "overhead_ms": round(1e3 * (self._dispatcher.clocks.monotonic() - started_s), 3),
            **self._dispatcher.explanation(call),
        }

    async def _including(self, globs: tuple[str, ...]) -> Serving:
        async with self._making:
            serving = self._dispatcher.serving
            kept = self._pools.get(globs)
            if kept is None or kept[0] is not serving:  # backends were reloaded since
                kept = (serving, await asyncio.to_thread(self._make, _backends(serving), also=globs))
            self._pools[globs] = kept
            self._pools.move_to_end(globs)
            while len(self._pools) > _MAX_POOLS:
                self._pools.popitem(last=False)
            return kept[1]


def _backends(serving: Serving) -> tuple[Backend, ...]:
    return tuple(entry.backend for entry in serving.pool.entries if entry.backend is not None)
