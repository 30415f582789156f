"""`/v1/messages` and `/routing/v1/messages`: Anthropic's Messages."""

from collections.abc import Mapping

import orjson

from gateway.errors import ErrorReply, anthropic_error
from gateway.wire.answer import ChatAnswer
from gateway.wire.anthropic.passing import NativeMessage, PassingEvents, PassingStream
from gateway.wire.body import ChatRequest
from gateway.wire.dialect import Answering, StreamTranslation
from gateway.wire.messages.answer import message_of
from gateway.wire.messages.request import read_messages
from gateway.wire.messages.stream import MessagesStream
from gateway.wire.stream import ChatStream

__all__ = ["MessagesDialect"]


class MessagesDialect:
    """See `Dialect`."""

    door = "messages"
    id_headers = (b"x-request-id", b"request-id")  # the second is where Anthropic's clients look

    def read(self, raw: bytes) -> ChatRequest:
        """See `Dialect.read`."""
        return read_messages(raw)

    def answer(self, answer: ChatAnswer, answering: Answering, routing: Mapping[str, object] | None) -> bytes:
        """See `Dialect.answer`."""
        if isinstance(answer, NativeMessage):
            return answer.for_client(answering.model_id, routing)
        message = message_of(answer, answering, routing)
        return orjson.dumps(message, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)

    def stream(self, answering: Answering, reader: ChatStream) -> StreamTranslation:
        """See `Dialect.stream`."""
        if isinstance(reader, PassingStream):
            return PassingEvents()
        return MessagesStream(answering, reader)

    def error(self, reply: ErrorReply, *, request_id: str) -> Mapping[str, object]:
        """See `Dialect.error`."""
        return anthropic_error(reply, request_id=request_id)

    def refused_stream(self, reply: ErrorReply, *, request_id: str) -> None:
        """See `Dialect.refused_stream`."""
