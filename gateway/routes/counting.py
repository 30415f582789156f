"""`/v1/messages/count_tokens` and `/v1/responses/input_tokens`: how long a prompt is, before anybody is asked."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import orjson
import structlog

from catalog import ANTHROPIC_MESSAGES, PoolEntry
from gateway.dispatch import Dispatcher
from gateway.errors import ForbiddenError, UpstreamError
from gateway.governance.governor import Governor
from gateway.keys import ApiKey
from gateway.stored import ResponseHistory
from gateway.upstreams.passing_on import carried_headers, passed_on
from gateway.upstreams.protocol import UpstreamCall
from gateway.wire.asgi import Receive, Scope, Send, read_body, read_headers
from gateway.wire.body import LARGE_BYTES, ChatRequest
from gateway.wire.dialect import Dialect
from predictors import read_query
from predictors.cost import input_token_ratio, input_tokens_added
from router import Reading, RoutingOptions

from .door import Admission, RequestIds
from .exchange import Exchange

__all__ = ["CountTokensDoor"]

log = structlog.get_logger(__name__)

_MESSAGES: Final = "/messages"
_PATIENCE_S: Final = 10.0
_UNBOUND: Final = RoutingOptions().require


class CountTokensDoor:
    """Counts by our own estimate: in the tokens of the model that is named, else in usual ones.

    Where a model at Anthropic is named by Anthropic's client, Anthropic is asked; the estimate is for when it fails.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        dialect: Dialect,
        *,
        read: Callable[[bytes], ChatRequest],
        admission: Admission,
        governor: Governor,
        max_body_bytes: int,
        kind: str | None = None,
        history: ResponseHistory | None = None,
    ) -> None:
        """`read` asks for no more than counting needs; `kind` is the answer's `object`, where the protocol has that."""
        self._dispatcher, self._dialect, self._read, self._admission = dispatcher, dialect, read, admission
        self._governor, self._max_body_bytes, self._history = governor, max_body_bytes, history
        self._frame = {} if kind is None else {"object": kind}
        self._request_id = RequestIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        headers = read_headers(scope)
        exchange = Exchange(send, self._dialect, self._dispatcher, request_id=self._request_id(headers))
        self._admission.enter()
        try:
            await exchange.attempt(self._answer(scope, receive, exchange, headers))
        finally:
            self._admission.leave()

    async def _answer(self, scope: Scope, receive: Receive, exchange: Exchange, headers: Mapping[str, str]) -> None:
        self._admission.check()
        key = self._governor.caller(headers)
        raw = await read_body(scope, receive, limit_bytes=self._max_body_bytes)
        if self._history is not None:
            raw = await self._history.continued(raw, key)
        request = self._read(raw) if len(raw) <= LARGE_BYTES else await asyncio.to_thread(self._read, raw)
        reading = self._dispatcher.read_wishes(request, headers, self._dispatcher.serving)
        tokens = await self._told(request, reading, key, headers) or await self._estimate(request, reading, key)
        await exchange.send_json(200, {**self._frame, "input_tokens": tokens})

    async def _estimate(self, request: ChatRequest, reading: Reading, key: ApiKey | None) -> int:
        serving, body = self._dispatcher.serving, request.body
        is_large = len(request.raw) > LARGE_BYTES
        tokens = (await asyncio.to_thread(read_query, body) if is_large else read_query(body)).input_tokens
        if reading.target is None:
            return tokens
        position = serving.positions(reading.target, may_see=None if key is None else key.may_use)[0]
        ratio, added = (column(serving.pool)[position] for column in (input_token_ratio, input_tokens_added))
        return max(1, round(tokens * float(ratio) + float(added)))

    async def _told(
        self, request: ChatRequest, reading: Reading, key: ApiKey | None, headers: Mapping[str, str]
    ) -> int | None:
        """Anthropic's own count; None where it is not the one to ask, may not see the prompt, or fails."""
        entry = self._whom_to_ask(reading, key)
        if entry is None or entry.backend is None or request.path(entry) != _MESSAGES:
            return None
        backend = entry.backend
        asked = UpstreamCall(
            backend=backend,
            body=request.for_backend(backend.model_name, without=reading.consumed, recipient=entry),
            path=f"{_MESSAGES}/count_tokens",
            headers=passed_on(carried_headers(headers), backend),
            deadline_s=_PATIENCE_S,
        )
        try:
            counted = orjson.loads(await self._dispatcher.upstreams[backend.kind].complete(asked))
        except (UpstreamError, orjson.JSONDecodeError) as exc:
            log.info("tokens_not_counted", backend=backend.id, kind=type(exc).__name__)
            return None
        count = counted.get("input_tokens") if isinstance(counted, dict) else None
        return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else None

    def _whom_to_ask(self, reading: Reading, key: ApiKey | None) -> PoolEntry | None:
        """The named model at Anthropic, where nothing is said of where the prompt may go."""
        if reading.target is None or reading.options.require != _UNBOUND or self._governor.protects(key):
            return None
        serving = self._dispatcher.serving
        try:
            self._governor.restricted(key, reading, serving)
        except ForbiddenError:
            return None
        entries = (serving.pool.entries[position] for position in serving.positions(reading.target))
        return next((e for e in entries if e.backend is not None and ANTHROPIC_MESSAGES in e.backend.abilities), None)
