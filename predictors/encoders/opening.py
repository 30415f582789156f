"""Encoders by name, as commands and saved predictors name them."""

from typing import Final

from predictors.errors import EncoderUnavailableError

from .cached import CachedEncoder
from .joint import JointEncoder
from .minilm_graph import Precision
from .protocol import Encoder
from .remote import RemoteEncoder
from .sentence_transformers import SentenceTransformersEncoder
from .static import StaticEncoder

__all__ = ["ENCODER_NAMES", "open_encoder"]

ENCODER_NAMES: Final = (
    "static (shipped), minilm (all-MiniLM-L6-v2 on onnxruntime, in 8 bits and 128 pieces), minilm-exact (as published, "
    "four times slower), joint (static and minilm end to end), a sentence-transformers model by its name on the hub or "
    "its folder (NAME, or onnx:NAME), or MODEL@URL of an OpenAI-compatible endpoint"
)
_ONNX: Final = "onnx:"
_MINILM: Final[dict[str, Precision]] = {"minilm": "int8", "minilm-exact": "float32"}


def open_encoder(name: str, *, api_key: str | None = None) -> Encoder:
    """The encoder of that name; all but the static one remember what they read.

    Args:
        name: one of `ENCODER_NAMES`; a URL goes up to and with its version, as in `nomic-embed@http://host/v1`.
        api_key: for an endpoint that wants one.

    Raises:
        EncoderUnavailableError: its package, weights or endpoint cannot be had.
    """
    if not name.strip():
        raise EncoderUnavailableError(f"an encoder needs a name: {ENCODER_NAMES}")
    if name == "static":
        return StaticEncoder.load(forgiving=True)
    if name in _MINILM:
        from .onnx_minilm import OnnxMiniLmEncoder  # noqa: PLC0415 - only those who ask for it need its packages

        return CachedEncoder(OnnxMiniLmEncoder.load(precision=_MINILM[name]))
    if name == "joint":
        return JointEncoder(open_encoder("static"), open_encoder("minilm"), second_share=0.5)
    model, at, url = name.partition("@")
    if at and url.startswith(("http://", "https://")):
        return CachedEncoder(RemoteEncoder(url, model, api_key=api_key))
    if name.startswith(_ONNX):
        return CachedEncoder(SentenceTransformersEncoder(name.removeprefix(_ONNX), backend="onnx"))
    return CachedEncoder(SentenceTransformersEncoder(name))
