"""How a Responses request goes on from a stored one, and how its answer is stored.

A stored Response carries all that came before it. So each is whole by itself, whatever was forgotten or deleted since,
and a request that goes on from one becomes an ordinary one with the whole conversation in its `input` before anything
else looks at it: budgets, privacy, forecasts and limits see what the model will see.

Never stored: what the caller says is not to be (`store: false`), asks to be retained nowhere
(`require.privacy = "no_retention"`), or whose key or gateway protects personal data.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import orjson
import structlog

from gateway.errors import BodyTooLargeError, InvalidRequestError, NotFoundError
from gateway.keys import ApiKey
from gateway.wire.body import ChatRequest, read_object
from gateway.wire.responses.passing import PassingResponseEvents
from gateway.wire.responses.stream import ResponsesStream
from router import Reading

from .items import RESPONSE_ID, as_items, conversation, named_items, response_of_item
from .protocol import Bounds, ResponseStore, StoreUnavailableError

__all__ = ["Keeping", "ResponseHistory"]

log = structlog.get_logger(__name__)

_MOST_BYTES = 10 << 20
_REFERRING = (b'"previous_response_id"', b'"item_reference"')
_EVERYBODY = "public"  # who has no key shares this tenant
_NO_STORE = "nothing is stored here; send the whole conversation in input"


@dataclass(slots=True, kw_only=True)
class Keeping:
    """The place of one answer that is to be stored."""

    store: ResponseStore
    bounds: Bounds
    tenant: str
    response_id: str
    items: list[dict[str, Any]]  # the conversation so far

    async def keep(self, body: bytes) -> bool:
        """Store a whole answer; False where it is too long or the store is away."""
        record = orjson.dumps({"response": orjson.Fragment(body), "input": self.items})
        if len(record) > self.bounds.max_bytes_each:
            log.warning("response_not_stored", reason="too long", bytes=len(record))
            return False
        try:
            await self.store.put(self.tenant, self.response_id, record)
        except StoreUnavailableError as exc:
            log.warning("response_not_stored", reason=str(exc))
            return False
        return True

    async def keep_streamed(self, streaming: object) -> None:
        """Store a streamed answer once it is complete: before its last event is sent, or one might ask too early."""
        if (
            isinstance(streaming, ResponsesStream | PassingResponseEvents)
            and (body := streaming.take_whole()) is not None
        ):
            await self.keep(body)


class ResponseHistory:
    """Stored Responses as the doors see them; without a store, what refers to one is refused."""

    def __init__(self, store: ResponseStore | None, bounds: Bounds, *, max_body_bytes: int = _MOST_BYTES) -> None:
        """`max_body_bytes` is the longest that a request may be, what it refers to included."""
        self._store, self._bounds, self._max_body_bytes = store, bounds, max_body_bytes

    async def continued(self, raw: bytes, key: ApiKey | None) -> bytes:
        """The request with everything that it refers to in its `input`; the very bytes where it refers to nothing.

        Raises:
            InvalidRequestError: what it refers to is not stored, or no longer.
            BodyTooLargeError: with what it refers to it is longer than a request may be.
        """
        if not any(mark in raw for mark in _REFERRING):
            return raw
        told = read_object(raw)
        if not isinstance(told.get("input"), str | list):
            return raw  # whoever reads it says what is wrong
        items = as_items(told["input"])
        before: list[dict[str, Any]] = []
        if (previous := told.get("previous_response_id")) is not None:
            before = conversation(await self._previous(previous, key))
        told["input"] = [*before, *await self._resolved(items, key, already_bytes=len(raw))]
        return orjson.dumps(told)

    def place_for(
        self, request: ChatRequest, reading: Reading, key: ApiKey | None, *, protected: bool
    ) -> Keeping | None:
        """Where this request's answer is to be stored; None where it is not."""
        if self._store is None or protected or request.as_sent.get("store") is False:
            return None
        if reading.options.require.privacy == "no_retention":
            return None
        response_id = f"resp_{os.urandom(16).hex()}"  # not to be guessed, and the same from no two backends
        items = named_items(as_items(request.as_sent["input"]), response_id)
        return Keeping(
            store=self._store, bounds=self._bounds, tenant=_tenant(key), response_id=response_id, items=items
        )

    async def read(self, response_id: str, key: ApiKey | None) -> dict[str, Any]:
        """A stored Response, under `response`, and all that was its input.

        Raises:
            NotFoundError: there is none of that id for this tenant.
            StoreUnavailableError: nobody can say.
        """
        record = await self._found(response_id, key)
        if record is None:
            raise self._absent(response_id)
        return record

    async def delete(self, response_id: str, key: ApiKey | None) -> None:
        """Forget a Response; what went on from it stays whole.

        Raises:
            NotFoundError, StoreUnavailableError.
        """
        known = self._store is not None and RESPONSE_ID.fullmatch(response_id)
        if self._store is None or not known or not await self._store.delete(_tenant(key), response_id):
            raise self._absent(response_id)

    async def close(self) -> None:
        """Close the store."""
        if self._store is not None:
            await self._store.close()

    async def _previous(self, previous: object, key: ApiKey | None) -> dict[str, Any]:
        name = "previous_response_id"
        if self._store is None:
            raise InvalidRequestError(f"{name}: {_NO_STORE}", param=name, code="response_not_stored")
        record = await self._found(previous, key)
        if record is None:
            problem = (
                f"there is no stored response {str(previous)[:100]}, or no longer (none is where personal data is"
                " protected, or where nothing may be retained); send the whole conversation in input"
            )
            raise InvalidRequestError(f"{name}: {problem}", param=name, code="previous_response_not_found")
        return record

    async def _resolved(self, items: Sequence[object], key: ApiKey | None, *, already_bytes: int) -> list[object]:
        """The items, and in the place of each reference the one that it refers to.

        A reference takes seventy bytes and may mean a megabyte: what all of them mean counts, and each Response that
        they are from is read once.
        """
        known: dict[str, dict[object, Any]] = {}  # items by their ids, by Response
        resolved: list[object] = []
        for position, item in enumerate(items):
            if not isinstance(item, dict) or item.get("type") != "item_reference":
                resolved.append(item)
                continue
            wanted, where = item.get("id"), f"input[{position}]"
            if self._store is None:
                raise InvalidRequestError(f"{where}: {_NO_STORE}", param=where, code="response_not_stored")
            if (response_id := response_of_item(wanted) or "") not in known:
                await asyncio.sleep(0)  # others have their turn: a record takes milliseconds to read
                record = await self._found(response_id, key)
                known[response_id] = {i.get("id"): i for i in reversed(conversation(record) if record else [])}
            found = known[response_id].get(wanted) if isinstance(wanted, str) else None
            if found is None:
                problem = f"there is no stored item {str(wanted)[:100]}, or no longer; send the item itself"
                raise InvalidRequestError(f"{where}: {problem}", param=where, code="item_not_found")
            already_bytes += len(orjson.dumps(found))
            if already_bytes > self._max_body_bytes:
                raise BodyTooLargeError(limit_bytes=self._max_body_bytes)
            resolved.append(found)
        return resolved

    async def _found(self, response_id: object, key: ApiKey | None) -> dict[str, Any] | None:
        if self._store is None or not isinstance(response_id, str) or not RESPONSE_ID.fullmatch(response_id):
            return None
        record = await self._store.get(_tenant(key), response_id)
        found = None if record is None else _read(record)
        if record is not None and found is None:
            log.error("stored_response_unreadable", response_id=response_id)
        return found

    def _absent(self, response_id: str) -> NotFoundError:
        shown = response_id[:100]
        if self._store is None:
            return NotFoundError(
                f"response {shown}: no responses are stored here; keep what you received, and send the whole"
                " conversation in input",
                code="response_not_stored",
            )
        return NotFoundError(
            f"response {shown} is not stored, or no longer; what is stored is kept for {self._bounds.keep_s:g} s",
            code="response_not_found",
        )


def _read(record: bytes) -> dict[str, Any] | None:
    """A record; None where it is damaged, or of another version that keeps them otherwise."""
    try:
        told = orjson.loads(record)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(told, dict) or not isinstance(told.get("response"), dict):
        return None
    found: dict[str, Any] = told
    items, output = told.get("input"), told["response"].get("output")
    if not _are_items(items) or not _are_items(output) or not all(isinstance(item.get("id"), str) for item in items):
        return None
    return found


def _are_items(value: object) -> TypeGuard[list[dict[str, Any]]]:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _tenant(key: ApiKey | None) -> str:
    return _EVERYBODY if key is None else f"tenant:{key.tenant}"  # so that none can be called like everybody
