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
_MOST_BYTES = 64 << 20  # likewise, of lists that came with requests: somebody's may be of any size


class OfferReader:
    """Conversations bring the same tools with every turn: a long list is read once, in pieces, and then known."""

    def __init__(self, *, most_tools: int = _MOST_TOOLS, most_bytes: int = _MOST_BYTES) -> None:
        self.most_tools, self.most_bytes = most_tools, most_bytes
        self._known: OrderedDict[tuple[str | bytes, bytes], tuple[Offer, int]] = OrderedDict()  # and its size in bytes
        self._n_tools = self._n_bytes = 0

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
        told = b"" if known_as else orjson.dumps(tools)
        key = (known_as or blake2b(told, digest_size=16).digest(), choice)
        if (known := self._known.get(key)) is not None:
            self._known.move_to_end(key)
            return known[0]
        await asyncio.sleep(0)
        reading = reading_offer(body, at_once=_AT_ONCE)
        while True:
            try:
                next(reading)
            except StopIteration as done:
                offer: Offer = done.value
                break
            await asyncio.sleep(0)
        self._remember(key, offer, len(told) + len(choice))
        return offer

    def _remember(self, key: tuple[str | bytes, bytes], offer: Offer, n_bytes: int) -> None:
        if key in self._known or len(offer) > self.most_tools or n_bytes > self.most_bytes:
            return
        self._known[key] = offer, n_bytes
        self._n_tools += len(offer)
        self._n_bytes += n_bytes
        while self._n_tools > self.most_tools or self._n_bytes > self.most_bytes:
            _, (gone, gone_bytes) = self._known.popitem(last=False)
            self._n_tools -= len(gone)
            self._n_bytes -= gone_bytes


async def in_pieces(tool_ids: Sequence[str]) -> AsyncIterator[Sequence[str]]:
    """The ids, some at a time, with a turn for others between."""
    for start in range(0, len(tool_ids), _AT_ONCE):
        if start:
            await asyncio.sleep(0)
        yield tool_ids[start : start + _AT_ONCE]
