import numpy as np
import pytest

from predictors.encoders import CachedEncoder, StaticEncoder, open_encoder
from predictors.errors import EncoderUnavailableError


def test_static_is_the_shipped_one_that_reads_over_slips() -> None:
    encoder = open_encoder("static")
    assert isinstance(encoder, StaticEncoder)
    np.testing.assert_array_equal(encoder.encode(["a theorem"]), encoder.encode(["a thoerem"]))


def test_minilm_remembers_what_it_read() -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    try:
        encoder = open_encoder("minilm")
    except EncoderUnavailableError as exc:
        pytest.skip(str(exc))
    assert isinstance(encoder, CachedEncoder)
    assert encoder.dim == 384


@pytest.mark.parametrize("name", ["", "  "])
def test_no_name_names_the_choices(name: str) -> None:
    with pytest.raises(EncoderUnavailableError, match="minilm"):
        open_encoder(name)


@pytest.mark.parametrize("name", ["/no/such/folder", "onnx:/no/such/folder"])
def test_what_cannot_be_loaded_says_why(name: str) -> None:
    with pytest.raises(EncoderUnavailableError, match="/no/such/folder"):
        open_encoder(name)


@pytest.mark.loopback
def test_an_endpoint_that_does_not_answer_is_named() -> None:
    with pytest.raises(EncoderUnavailableError, match="cannot be reached"):
        open_encoder("small@http://127.0.0.1:9/v1")
