import json
from collections.abc import Callable

import httpx
import numpy as np
import pytest

from predictors.encoders import RemoteEncoder
from predictors.errors import EncoderUnavailableError


def encoder_before(handler: Callable[[httpx.Request], httpx.Response], **options: object) -> RemoteEncoder:
    client = httpx.Client(transport=httpx.MockTransport(handler))
    return RemoteEncoder("https://models.example/v1/", "small", client=client, dim=2, **options)  # type: ignore[arg-type]


def embeddings(vectors: list[list[float]]) -> httpx.Response:
    return httpx.Response(200, json={"data": [{"index": i, "embedding": v} for i, v in enumerate(vectors)]})


def test_the_request_is_what_an_openai_endpoint_expects() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return embeddings([[3.0, 4.0]])

    vectors = encoder_before(handler, api_key="secret").encode(["hello"])
    np.testing.assert_allclose(vectors, [[0.6, 0.8]], atol=1e-6)
    assert str(seen[0].url) == "https://models.example/v1/embeddings"
    assert seen[0].headers["authorization"] == "Bearer secret"
    assert json.loads(seen[0].content) == {"model": "small", "input": ["hello"], "encoding_format": "float"}


def test_many_texts_go_in_batches_and_come_back_in_order() -> None:
    sizes: list[int] = []

    def handler(request: httpx.Request) -> httpx.Response:
        texts = json.loads(request.content)["input"]
        sizes.append(len(texts))
        return embeddings([[1.0, float(text)] for text in texts])

    vectors = encoder_before(handler).encode([str(i) for i in range(100)])
    assert sizes == [16] * 6 + [4]
    np.testing.assert_allclose(vectors[:, 1] / vectors[:, 0], np.arange(100), rtol=1e-4)


def test_a_batch_may_take_as_long_as_its_texts_one_by_one() -> None:
    patience: list[tuple[float, float]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        timeout = request.extensions["timeout"]
        patience.append((timeout["connect"], timeout["read"]))
        raise httpx.ReadTimeout("still thinking", request=request)

    with pytest.raises(EncoderUnavailableError, match="did not answer within 6 s for 3 texts"):
        encoder_before(handler, timeout_s=2.0).encode(["a", "b", "c"])
    assert patience == [(2.0, 6.0)]


def test_the_dimension_is_asked_for_where_it_is_not_given() -> None:
    client = httpx.Client(transport=httpx.MockTransport(lambda _: embeddings([[1.0, 0.0, 0.0]])))
    assert RemoteEncoder("https://models.example/v1", "small", client=client).dim == 3


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.Response(401, json={"error": "no"}), "status 401"),
        (httpx.Response(200, text="<html>"), "something else"),
        (httpx.Response(200, json={"data": []}), "0 embeddings for 1 texts"),
        (embeddings([[1.0, 0.0, 0.0]]), "shape"),
        (embeddings([[0.0, 0.0]]), "without a direction"),
    ],
)
def test_an_answer_that_is_no_embedding_is_an_error_that_names_the_endpoint(answer: httpx.Response, says: str) -> None:
    with pytest.raises(EncoderUnavailableError, match=says) as caught:
        encoder_before(lambda _: answer).encode(["hello"])
    assert "models.example" in str(caught.value)


def test_an_endpoint_that_does_not_answer_is_an_error_too() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(EncoderUnavailableError, match="cannot be reached"):
        encoder_before(handler).encode(["hello"])
