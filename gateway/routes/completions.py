"""`/v1/completions`: the legacy protocol, for clients that never moved on."""

from collections.abc import Mapping

import orjson

from gateway.errors import ErrorReply, openai_error
from gateway.wire.answer import ChatAnswer
from gateway.wire.body import ChatRequest
from gateway.wire.completions import CompletionsStream, completion_of, read_completions
from gateway.wire.dialect import Answering
from gateway.wire.stream import ChatStream

__all__ = ["CompletionsDialect"]


class CompletionsDialect:
    """See `Dialect`."""

    door = "completions"
    id_headers = (b"x-request-id",)

    def read(self, raw: bytes) -> ChatRequest:
        """See `Dialect.read`."""
        return read_completions(raw)

    def answer(self, answer: ChatAnswer, answering: Answering, routing: Mapping[str, object] | None) -> bytes:
        """See `Dialect.answer`."""
        completion = completion_of(answer, answering, routing)
        if completion is None:
            return answer.for_client(answering.model_id, routing)
        return orjson.dumps(completion, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)

    def stream(self, answering: Answering, reader: ChatStream) -> CompletionsStream:  # noqa: ARG002 - the protocol's
        """See `Dialect.stream`."""
        return CompletionsStream(answering)

    def error(self, reply: ErrorReply, *, request_id: str) -> Mapping[str, object]:  # noqa: ARG002 - the protocol's
        """See `Dialect.error`."""
        return openai_error(reply)

    def refused_stream(self, reply: ErrorReply, *, request_id: str) -> None:
        """See `Dialect.refused_stream`."""
