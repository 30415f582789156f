"""A request for embeddings, and the answer to it: both pass as they are."""

from dataclasses import dataclass

import orjson

from catalog import PoolEntry
from gateway.errors import InvalidRequestError, UpstreamProtocolError

from .answer import ChatAnswer
from .body import ChatRequest, read_object
from .fields import refuse
from .usage import read_usage

__all__ = ["EmbeddingRequest", "read_embeddings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRequest(ChatRequest):
    """What a client asked of `/v1/embeddings`."""

    def path(self, recipient: PoolEntry, *, changed: bool = False) -> str:  # noqa: ARG002 - chat's
        """Where this backend is asked, below its base URL.

        Raises:
            InvalidRequestError: it is called through litellm, or is Anthropic: both are asked for chats only.
        """
        kind = recipient.backend.kind if recipient.backend is not None else None
        if kind in {"litellm", "anthropic"}:
            refuse(
                "model", f"embeds through {kind}, which is used for chats only; serve it by an OpenAI-compatible server"
            )
        return "/embeddings"

    def read_answer(self, raw: bytes, *, backend_id: str, path: str = "/embeddings") -> ChatAnswer:  # noqa: ARG002 - chat's
        """The backend's vectors.

        Raises:
            UpstreamProtocolError: there are none.
        """
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError as exc:
            raise UpstreamProtocolError("answered with malformed JSON", backend_id=backend_id) from exc
        if not isinstance(body, dict) or not isinstance(body.get("data"), list) or not body["data"]:
            raise UpstreamProtocolError("answered without embeddings", backend_id=backend_id)
        model = body.get("model")
        return ChatAnswer(
            raw=raw,
            response_id=None,
            model_returned=model if isinstance(model, str) and model else None,
            finish_reason=None,
            usage=read_usage(body.get("usage")),
            tools_called=(),
            _body=body,
        )


def read_embeddings(raw: bytes) -> EmbeddingRequest:
    """Check what the gateway relies on.

    Raises:
        InvalidRequestError: naming the field.
    """
    body = read_object(raw)
    model, given = body.get("model", "auto"), body.get("input")
    if not isinstance(model, str) or not model or len(model) > 256:
        raise InvalidRequestError("model: a name of a model", param="model")
    if not isinstance(given, str | list) or not given:
        raise InvalidRequestError("input: must be a text, or a list of texts or of tokens", param="input")
    routing = body.get("routing")
    if body.get("route_only") or (isinstance(routing, dict) and routing.get("route_only")):
        refuse("route_only", "is for texts; which model embeds is never chosen here")
    if body.get("stream"):
        refuse("stream", "vectors come whole; leave it out")
    return EmbeddingRequest(raw=raw, body=body, model=model, stream=False, wants_usage=False)
