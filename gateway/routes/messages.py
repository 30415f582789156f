"""`/v1/messages`, `/v1/messages/count_tokens` and `/routing/v1/messages`: Anthropic's Messages."""

from collections.abc import Mapping

import orjson
import structlog

from catalog import ParetoGateError
from gateway.dispatch import Dispatcher
from gateway.errors import ErrorReply, anthropic_error, reply_to
from gateway.governor import Governor
from gateway.wire.answer import ChatAnswer
from gateway.wire.asgi import ClientGoneError, Receive, Scope, Send, read_body, read_headers
from gateway.wire.body import ChatRequest
from gateway.wire.dialect import Answering
from gateway.wire.messages import read_messages
from gateway.wire.messages_answer import message_of
from gateway.wire.messages_stream import MessagesStream
from gateway.wire.stream import ChatStream
from predictors import read_query
from predictors.cost import input_token_ratio

from .door import Admission, RequestIds
from .exchange import Exchange

__all__ = ["CountTokensDoor", "MessagesDialect"]

log = structlog.get_logger(__name__)


class MessagesDialect:
    """See `Dialect`."""

    door = "messages"

    def read(self, raw: bytes) -> ChatRequest:
        """See `Dialect.read`."""
        return read_messages(raw)

    def answer(self, answer: ChatAnswer, answering: Answering, routing: Mapping[str, object] | None) -> bytes:
        """See `Dialect.answer`."""
        told = message_of(answer, answering, routing)
        return orjson.dumps(told, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)

    def stream(self, answering: Answering, reader: ChatStream) -> MessagesStream:
        """See `Dialect.stream`."""
        return MessagesStream(answering, reader)

    def error(self, reply: ErrorReply, *, request_id: str) -> Mapping[str, object]:
        """See `Dialect.error`."""
        return anthropic_error(reply, request_id=request_id)


class CountTokensDoor:
    """Says how long a prompt is, by our own estimate: in the tokens of the model that is named, else in usual ones."""

    def __init__(
        self, dispatcher: Dispatcher, *, admission: Admission, governor: Governor, max_body_bytes: int
    ) -> None:
        self._dispatcher, self._admission = dispatcher, admission
        self._governor, self._max_body_bytes = governor, max_body_bytes
        self._dialect, self._request_id = MessagesDialect(), RequestIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        headers = read_headers(scope)
        exchange = Exchange(send, self._dialect, self._dispatcher, request_id=self._request_id(headers))
        self._admission.enter()
        try:
            self._admission.check()
            self._governor.caller(headers)
            request = read_messages(await read_body(scope, receive, limit_bytes=self._max_body_bytes), counting=True)
            await exchange.send_json(200, {"input_tokens": self._count(request, headers)})
        except ClientGoneError:
            return
        except ParetoGateError as exc:
            await exchange.fail(reply_to(exc))
        except Exception as exc:  # the last line: the client gets an answer, the operator the reason
            log.exception("request_crashed", request_id=exchange.request_id)
            await exchange.fail(reply_to(exc))
        finally:
            self._admission.leave()

    def _count(self, request: ChatRequest, headers: Mapping[str, str]) -> int:
        serving = self._dispatcher.serving
        target = self._dispatcher.read_wishes(request, headers, serving).target
        tokens = read_query(request.body).input_tokens
        if target is None:
            return tokens
        ratio = input_token_ratio(serving.pool)[serving.positions(target)[0]]
        return max(1, round(tokens * float(ratio)))
