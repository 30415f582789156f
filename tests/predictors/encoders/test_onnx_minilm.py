from pathlib import Path

import numpy as np
import pytest

from predictors.encoders.minilm_graph import Precision
from predictors.encoders.onnx_minilm import OnnxMiniLmEncoder
from predictors.errors import EncoderUnavailableError

QUESTIONS = [
    "The weather is lovely today.",
    "A train covers 210 km in 2.5 hours; how fast was it?",
    "def f(x):\n    return x ** 2\n" * 3,
    "Which organ produces insulin?\nA. Liver\nB. Pancreas\nC. Spleen\nD. Kidney\nAnswer:",
    "法国的首都是哪里?",
]


def load(precision: Precision) -> OnnxMiniLmEncoder:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    try:
        return OnnxMiniLmEncoder.load(precision=precision)
    except EncoderUnavailableError as exc:
        pytest.skip(str(exc))


@pytest.fixture(scope="module")
def encoder() -> OnnxMiniLmEncoder:
    return load("float32")


@pytest.fixture(scope="module")
def quantised() -> OnnxMiniLmEncoder:
    return load("int8")


def test_the_written_graph_gives_the_cosines_of_the_published_model(encoder: OnnxMiniLmEncoder) -> None:
    """The example on the model's card: these sentences, compared by sentence-transformers, give 0.6660 and 0.1046."""
    weather, lovely, drove = encoder.encode(
        ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    )
    assert weather @ lovely == pytest.approx(0.6660, abs=2e-3)
    assert weather @ drove == pytest.approx(0.1046, abs=2e-3)


def test_eight_bits_point_where_float32_points(encoder: OnnxMiniLmEncoder, quantised: OnnxMiniLmEncoder) -> None:
    cosine = (encoder.encode(QUESTIONS) * quantised.encode(QUESTIONS)).sum(axis=1)
    assert cosine.min() > 0.985
    assert cosine.mean() > 0.99


def test_in_eight_bits_company_changes_no_bit(quantised: OnnxMiniLmEncoder) -> None:
    texts = [*QUESTIONS, QUESTIONS[0]]
    np.testing.assert_array_equal(quantised.encode(texts), np.concatenate([quantised.encode([t]) for t in texts]))


def test_the_published_model_reads_the_beginning_of_a_long_text(encoder: OnnxMiniLmEncoder) -> None:
    beginning = "river " * 254  # and two marks
    np.testing.assert_allclose(encoder.encode([beginning + "stone"]), encoder.encode([beginning]), atol=1e-5)


def test_the_short_window_reads_both_ends_of_a_long_text(quantised: OnnxMiniLmEncoder) -> None:
    whole = "river " * 63 + "stone " * 500 + "cloud " * 63
    np.testing.assert_array_equal(quantised.encode([whole]), quantised.encode(["river " * 63 + "cloud " * 63]))


def test_a_text_without_end_is_read_at_both_ends_too(quantised: OnnxMiniLmEncoder) -> None:
    whole = "river " * 63 + "stone " * 200_000 + "cloud " * 63
    np.testing.assert_array_equal(quantised.encode([whole]), quantised.encode(["river " * 63 + "cloud " * 63]))


def test_the_two_are_told_apart_by_name(encoder: OnnxMiniLmEncoder, quantised: OnnxMiniLmEncoder) -> None:
    assert encoder.name != quantised.name


def test_no_texts_give_no_rows(encoder: OnnxMiniLmEncoder) -> None:
    assert encoder.encode([]).shape == (0, 384)


def test_a_folder_without_weights_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnavailableError, match="install"):
        OnnxMiniLmEncoder.load(tmp_path)
