from pathlib import Path

import numpy as np
import pytest

from predictors.encoders.onnx_minilm import OnnxMiniLmEncoder
from predictors.errors import EncoderUnavailableError


@pytest.fixture(scope="module")
def encoder() -> OnnxMiniLmEncoder:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    try:
        return OnnxMiniLmEncoder.load()
    except EncoderUnavailableError as exc:
        pytest.skip(str(exc))


def test_the_written_graph_gives_the_cosines_of_the_published_model(encoder: OnnxMiniLmEncoder) -> None:
    """The example on the model's card: these sentences, compared by sentence-transformers, give 0.6660 and 0.1046."""
    weather, lovely, drove = encoder.encode(
        ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    )
    assert weather @ lovely == pytest.approx(0.6660, abs=2e-3)
    assert weather @ drove == pytest.approx(0.1046, abs=2e-3)


def test_padding_moves_no_vector(encoder: OnnxMiniLmEncoder) -> None:
    texts = ["short", "a much longer text that makes the short one padded " * 8, "odd \ud800 text", ""]
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    assert encoder.encode(texts) == pytest.approx(alone, abs=1e-5)
    assert np.linalg.norm(alone, axis=1) == pytest.approx(np.ones(4), abs=1e-5)


def test_no_texts_give_no_rows(encoder: OnnxMiniLmEncoder) -> None:
    assert encoder.encode([]).shape == (0, 384)


def test_a_folder_without_weights_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnavailableError, match="install"):
        OnnxMiniLmEncoder.load(tmp_path)
