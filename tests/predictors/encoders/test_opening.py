import numpy as np
import pytest

from predictors.encoders import CachedEncoder, Encoder, StaticEncoder, open_encoder
from predictors.errors import EncoderUnavailableError


def test_static_is_the_shipped_one_that_reads_over_slips() -> None:
    encoder = open_encoder("static")
    assert isinstance(encoder, StaticEncoder)
    np.testing.assert_array_equal(encoder.encode(["a theorem"]), encoder.encode(["a thoerem"]))


def opened(name: str) -> Encoder:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    try:
        return open_encoder(name)
    except EncoderUnavailableError as exc:
        pytest.skip(str(exc))


@pytest.mark.parametrize("name", ["minilm", "minilm-exact"])
def test_minilm_remembers_what_it_read(name: str) -> None:
    encoder = opened(name)
    assert isinstance(encoder, CachedEncoder)
    assert encoder.dim == 384
    assert ("int8" in encoder.name) == (name == "minilm")


def test_joint_is_the_static_one_and_minilm_end_to_end() -> None:
    encoder, static = opened("joint"), open_encoder("static")
    vector = encoder.encode(["a theorem"])
    assert encoder.dim == static.dim + 384
    np.testing.assert_allclose(vector[:, : static.dim], static.encode(["a theorem"]) * 0.5**0.5, rtol=1e-6)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)


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
