"""`/v1/responses` and `/routing/v1/responses`: OpenAI's Responses; `gateway.stored` says what is kept of them."""

from collections.abc import Collection, Mapping

import orjson

from gateway.errors import OUT_OF_ROOM, ErrorReply, openai_error
from gateway.wire.answer import ChatAnswer
from gateway.wire.body import ChatRequest
from gateway.wire.dialect import Answering, StreamTranslation
from gateway.wire.responses.answer import response_of
from gateway.wire.responses.passing import NativeResponse, PassingResponse, PassingResponseEvents
from gateway.wire.responses.request import read_responses
from gateway.wire.responses.stream import ResponsesStream, refused_stream
from gateway.wire.stream import ChatStream

__all__ = ["ResponsesDialect"]


class ResponsesDialect:
    """See `Dialect`."""

    door = "responses"
    id_headers = (b"x-request-id",)

    def __init__(self, *, optional_tools: Collection[str] = ()) -> None:
        """See `read_responses`."""
        self._optional_tools = optional_tools

    def read(self, raw: bytes) -> ChatRequest:
        """See `Dialect.read`."""
        return read_responses(raw, optional_tools=self._optional_tools)

    def answer(self, answer: ChatAnswer, answering: Answering, routing: Mapping[str, object] | None) -> bytes:
        """See `Dialect.answer`."""
        if isinstance(answer, NativeResponse):
            return answer.named(answering.model_id, routing)
        response = response_of(answer, answering, routing)
        return orjson.dumps(response, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)

    def stream(self, answering: Answering, reader: ChatStream) -> StreamTranslation:
        """See `Dialect.stream`."""
        if isinstance(reader, PassingResponse):
            return PassingResponseEvents(reader, stored_as=answering.stored_as)
        return ResponsesStream(answering)

    def error(self, reply: ErrorReply, *, request_id: str) -> Mapping[str, object]:  # noqa: ARG002 - the protocol's
        """See `Dialect.error`."""
        return openai_error(reply)

    def refused_stream(self, reply: ErrorReply, *, request_id: str) -> bytes | None:
        """See `Dialect.refused_stream`: that a request is too long OpenAI says in the stream, and Codex looks there."""
        return refused_stream(reply, request_id=request_id) if reply.code == OUT_OF_ROOM else None
