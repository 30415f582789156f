"""`/v1/embeddings`: texts into vectors, by a model that does that. Passed through; only backends that embed are asked.

Vectors of different models do not compare, so a caller who leaves the choice open is answered only where there is no
choice, and no other model ever takes over.
"""

from collections.abc import Mapping

from catalog import Backend
from gateway.errors import ErrorReply, InvalidRequestError, NotFoundError, openai_error
from gateway.keys import ApiKey
from gateway.serving import Serving, ServingFactory
from gateway.wire.answer import ChatAnswer
from gateway.wire.body import ChatRequest
from gateway.wire.dialect import Answering, StreamTranslation
from gateway.wire.embeddings import read_embeddings
from gateway.wire.stream import ChatStream

__all__ = ["Embedders", "EmbeddingsDialect", "split_embedders"]

_AUTO = ("auto", "paretogate/auto")


class EmbeddingsDialect:
    """See `Dialect`. Nothing is translated."""

    door = "embeddings"
    id_headers = (b"x-request-id",)

    def read(self, raw: bytes) -> ChatRequest:
        """See `Dialect.read`."""
        return read_embeddings(raw)

    def answer(self, answer: ChatAnswer, answering: Answering, routing: Mapping[str, object] | None) -> bytes:
        """See `Dialect.answer`."""
        return answer.for_client(answering.model_id, routing)

    def stream(self, answering: Answering, reader: ChatStream) -> StreamTranslation:  # noqa: ARG002 - the protocol's
        """Never: `read` has refused it."""
        raise AssertionError("embeddings are not streamed; `read` refuses to")

    def error(self, reply: ErrorReply, *, request_id: str) -> Mapping[str, object]:  # noqa: ARG002 - the protocol's
        """See `Dialect.error`."""
        return openai_error(reply)

    def refused_stream(self, reply: ErrorReply, *, request_id: str) -> None:
        """See `Dialect.refused_stream`."""


class Embedders:
    """What is served to this door."""

    def __init__(self, serving: Serving | None) -> None:
        self._serving = serving

    def __call__(self, request: ChatRequest, key: ApiKey | None) -> Serving:
        """The candidates for this request; who must name one is told of those that the key may use.

        Raises:
            NotFoundError: nothing here embeds.
            InvalidRequestError: it is left open which of several models shall embed.
        """
        if self._serving is None:
            raise NotFoundError(
                "no backend here embeds texts; add one whose profile says modalities_out = ['embedding']"
            )
        ids = sorted(set(self._serving.pool.ids))
        if len(ids) > 1 and request.model.partition(":")[0] in _AUTO:
            open_to_it = [name for name in ids if key is None or key.may_use(name)]
            named = f"one of {', '.join(open_to_it)}" if open_to_it else "one, of which this key may use none"
            raise InvalidRequestError(f"model: vectors of different models do not compare; name {named}", param="model")
        return self._serving


def split_embedders(
    make: ServingFactory, backends: tuple[Backend, ...]
) -> tuple[tuple[Backend, ...], Serving, Serving | None]:
    """The backends that write, what serves them, and what serves those that only embed, if there are any."""
    serving = make(backends)
    only_embed = {e.backend.id for e in serving.pool.entries if e.backend and e.profile.modalities_out == {"embedding"}}
    if not only_embed:
        return backends, serving, None
    writers = tuple(b for b in backends if b.id not in only_embed)
    return writers, make(writers), make(tuple(b for b in backends if b.id in only_embed))
