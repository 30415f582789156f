"""`/v1/chat/completions` and `/routing/v1/chat/completions`: OpenAI's chat, which backends speak too."""

from collections.abc import Mapping

from gateway.errors import ErrorReply, openai_error
from gateway.wire.answer import ChatAnswer
from gateway.wire.body import ChatRequest, read_chat
from gateway.wire.dialect import Answering
from gateway.wire.stream import ChatStream

__all__ = ["ChatDialect"]


class ChatDialect:
    """See `Dialect`. Nothing is translated: bytes pass as the backend sent them."""

    door = "chat"
    id_headers = (b"x-request-id",)

    def read(self, raw: bytes) -> ChatRequest:
        """See `Dialect.read`."""
        return read_chat(raw)

    def answer(self, answer: ChatAnswer, answering: Answering, routing: Mapping[str, object] | None) -> bytes:
        """See `Dialect.answer`."""
        return answer.for_client(answering.model_id, routing)

    def stream(self, answering: Answering, reader: ChatStream) -> "_AsItComes":  # noqa: ARG002 - the protocol's
        """See `Dialect.stream`."""
        return _AsItComes(reader)

    def error(self, reply: ErrorReply, *, request_id: str) -> Mapping[str, object]:  # noqa: ARG002 - the protocol's
        """See `Dialect.error`."""
        return openai_error(reply)

    def refused_stream(self, reply: ErrorReply, *, request_id: str) -> None:
        """See `Dialect.refused_stream`."""


class _AsItComes:
    def __init__(self, reader: ChatStream) -> None:
        self._reader = reader

    def take(self, data: bytes) -> bytes:
        return data

    def error(self, reply: ErrorReply, *, request_id: str) -> bytes:  # noqa: ARG002 - the protocol's
        return self._reader.error_event(openai_error(reply))
