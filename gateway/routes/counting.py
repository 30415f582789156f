"""`/v1/messages/count_tokens` and `/v1/responses/input_tokens`: how long a prompt is, before anybody is asked."""

from collections.abc import Callable, Mapping

import structlog

from gateway.dispatch import Dispatcher
from gateway.governor import Governor
from gateway.stored import ResponseHistory
from gateway.wire.asgi import Receive, Scope, Send, read_body, read_headers
from gateway.wire.body import ChatRequest
from gateway.wire.dialect import Dialect
from predictors import read_query
from predictors.cost import input_token_ratio

from .door import Admission, RequestIds
from .exchange import Exchange

__all__ = ["CountTokensDoor"]

log = structlog.get_logger(__name__)


class CountTokensDoor:
    """Counts by our own estimate: in the tokens of the model that is named, else in usual ones."""

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
        await exchange.send_json(200, {**self._frame, "input_tokens": self._count(self._read(raw), headers)})

    def _count(self, request: ChatRequest, headers: Mapping[str, str]) -> int:
        serving = self._dispatcher.serving
        target = self._dispatcher.read_wishes(request, headers, serving).target
        tokens = read_query(request.body).input_tokens
        if target is None:
            return tokens
        ratio = input_token_ratio(serving.pool)[serving.positions(target)[0]]
        return max(1, round(tokens * float(ratio)))
