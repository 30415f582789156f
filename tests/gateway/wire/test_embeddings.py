"""Embeddings pass as they are."""

from typing import Any

import orjson
import pytest

from catalog import Backend, BackendKind, ModelProfile, PoolEntry
from gateway.errors import InvalidRequestError, UpstreamProtocolError
from gateway.wire.embeddings import EmbeddingRequest, read_embeddings

VECTORS = {
    "object": "list",
    "model": "raw",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
    "usage": {"prompt_tokens": 2, "total_tokens": 2},
}


def read(**told: Any) -> EmbeddingRequest:
    return read_embeddings(orjson.dumps({"model": "embed", "input": "cat", **told}))


def candidate(kind: BackendKind) -> PoolEntry:
    backend = Backend(id="b", profile_id="maker/embed", kind=kind, provider="maker", model_name="m")
    return PoolEntry(profile=ModelProfile(id="maker/embed", name="Embed"), backend=backend)


def test_the_backend_gets_the_clients_own_bytes() -> None:
    request = read(dimensions=64, encoding_format="base64")
    assert request.path(candidate("vllm")) == "/embeddings"
    assert request.for_backend("m") == request.raw.replace(b'"embed"', b'"m"')


def test_the_client_gets_the_vectors_in_the_catalogs_name() -> None:
    answer = read().read_answer(orjson.dumps(VECTORS), backend_id="b")
    assert orjson.loads(answer.for_client("maker/embed")) == {**VECTORS, "model": "maker/embed"}
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (2, 0)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"data": []}', b'{"choices": [{}]}'])
def test_what_holds_no_vectors_is_no_answer(raw: bytes) -> None:
    with pytest.raises(UpstreamProtocolError):
        read().read_answer(raw, backend_id="b")


@pytest.mark.parametrize(
    ("told", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": None}, "input"),
        ({"model": 3}, "model"),
        ({"stream": True}, "stream"),
        ({"routing": {"route_only": True}}, "route_only"),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(told: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        read(**told)
    assert refused.value.param == param


def test_litellm_is_not_asked() -> None:
    with pytest.raises(InvalidRequestError, match="chats only"):
        read().path(candidate("litellm"))
