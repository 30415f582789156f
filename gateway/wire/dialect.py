"""What a door needs of a protocol other than chat: requests in, answers, streams and errors out."""

from collections.abc import Mapping
from typing import Protocol

from catalog import record
from gateway.errors import ErrorReply

from .answer import ChatAnswer
from .body import ChatRequest
from .stream import ChatStream

__all__ = ["Answering", "Dialect", "StreamTranslation"]


@record
class Answering:
    """Who answers whom, as far as an answer must say it."""

    request: ChatRequest
    model_id: str  # the catalog's name of the model that answers
    maker: str
    created_s: int  # since the epoch
    answer_id: str  # the answer's id where it is told in another protocol than the one it came in
    stored_as: str | None = None  # its id where it is stored here


class StreamTranslation(Protocol):
    """One answer, told in the client's protocol while it passes."""

    def take(self, data: bytes) -> bytes:
        """What the client gets for these chat events: whole ones, as `ChatStream` passes them on."""
        ...

    def error(self, reply: ErrorReply, *, request_id: str) -> bytes:
        """The in-band error after which nothing comes."""
        ...


class Dialect(Protocol):
    """A protocol."""

    @property
    def door(self) -> str:
        """Its name in metrics."""
        ...

    @property
    def id_headers(self) -> tuple[bytes, ...]:
        """Where its clients look for the request's id."""
        ...

    def read(self, raw: bytes) -> ChatRequest:
        """What the client wants.

        Raises:
            InvalidRequestError: naming the field that is wrong or has no translation.
        """
        ...

    def answer(self, answer: ChatAnswer, answering: Answering, routing: Mapping[str, object] | None) -> bytes:
        """A whole answer, with the explanation where the caller asked for one."""
        ...

    def stream(self, answering: Answering, reader: ChatStream) -> StreamTranslation:
        """How a streamed answer is told; `reader` has read what came so far."""
        ...

    def error(self, reply: ErrorReply, *, request_id: str) -> Mapping[str, object]:
        """The body of a refusal."""
        ...

    def refused_stream(self, reply: ErrorReply, *, request_id: str) -> bytes | None:
        """The whole stream that refuses a request for one, where clients look for that there; None: at the status."""
        ...
