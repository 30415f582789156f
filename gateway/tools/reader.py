"""Reading long lists of tools without holding up others, and not a second time what came before."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson

from .offer import Offer, read_offer, reading_offer

__all__ = ["OfferReader", "in_pieces"]

_AT_ONCE = 200  # tools; some three milliseconds
_MOST_TOOLS = 100_000  # remembered in all lists together: about 100 MB of ordinary declarations


class OfferReader:
    """Conversations bring the same tools with every turn: a long list is read once, in pieces, and then known."""

    def __init__(self, *, most_tools: int = _MOST_TOOLS) -> None:
        self.most_tools = most_tools
        self._known: OrderedDict[tuple[str | bytes, bytes], Offer] = OrderedDict()
        self._n_tools = 0

    async def read(self, body: Mapping[str, Any], *, known_as: str | None = None) -> Offer:
        """The offer of a body in chat's shape, as `read_offer` has it.

        Args:
            body: with its tools.
            known_as: names the tools where they need not be looked at to tell them from others.
        """
        tools = body.get("tools")
        if not isinstance(tools, list) or len(tools) <= _AT_ONCE:
            return read_offer(body)
        await asyncio.sleep(0)
        choice = orjson.dumps(body.get("tool_choice"))
        key = (known_as or blake2b(orjson.dumps(tools), digest_size=16).digest(), choice)
        if (known := self._known.get(key)) is not None:
            self._known.move_to_end(key)
            return known
        await asyncio.sleep(0)
        reading = reading_offer(body, at_once=_AT_ONCE)
        while True:
            try:
                next(reading)
            except StopIteration as done:
                offer: Offer = done.value
                break
            await asyncio.sleep(0)
        self._remember(key, offer)
        return offer

    def _remember(self, key: tuple[str | bytes, bytes], offer: Offer) -> None:
        if key in self._known or len(offer) > self.most_tools:
            return
        self._known[key] = offer
        self._n_tools += len(offer)
        while self._n_tools > self.most_tools:
            self._n_tools -= len(self._known.popitem(last=False)[1])


async def in_pieces(tool_ids: Sequence[str]) -> AsyncIterator[Sequence[str]]:
    """The ids, some at a time, with a turn for others between."""
    for start in range(0, len(tool_ids), _AT_ONCE):
        if start:
            await asyncio.sleep(0)
        yield tool_ids[start : start + _AT_ONCE]
