"""Any sentence-transformers model as the encoder: more exact than the static one, and a thousand times the work."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from predictors.errors import EncoderUnavailableError

from .protocol import Vectors

__all__ = ["SentenceTransformersEncoder"]

_BATCH = 32


class SentenceTransformersEncoder:
    """A model by its name on the hub or its folder, on the CPU.

    A text's vector alone and in a batch agree to rounding (about 1e-6 in float32): padding is masked, not absent.

    Args:
        model_name: a hub name or a folder.
        backend: `torch`, or `onnx` where the model carries an ONNX export and Optimum is installed.
        dtype: `float32`, or `bfloat16` for three times the speed and vectors off by about 0.003.
        max_tokens: read no more than this of a text; None leaves the model's own limit.

    Raises:
        EncoderUnavailableError: the package is not installed or the model cannot be loaded.
    """

    def __init__(
        self,
        model_name: str,
        *,
        backend: Literal["torch", "onnx"] = "torch",
        dtype: Literal["float32", "bfloat16"] = "float32",
        max_tokens: int | None = None,
    ) -> None:
        try:
            from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - seconds and 400 MB: only when wanted
        except ImportError as exc:
            raise EncoderUnavailableError(
                f"{model_name} needs sentence-transformers; install it with `pip install 'paretogate[encoders]'`"
            ) from exc
        try:
            self.model = SentenceTransformer(
                model_name,
                device="cpu",
                backend=backend,
                model_kwargs={"torch_dtype": dtype} if backend == "torch" else {},
            )
        except (OSError, ValueError, ImportError) as exc:
            raise EncoderUnavailableError(
                f"{model_name} cannot be loaded with the {backend} backend ({exc}); "
                "name a model on the hub, or a folder that holds one"
            ) from exc
        if max_tokens is not None:
            self.model.max_seq_length = max_tokens
        self.dim = int(self.model.get_embedding_dimension())
        self.name = f"sentence-transformers/{model_name.rstrip('/').rpartition('/')[2]}@{backend}-{dtype}-{self.dim}"

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit rows, shape (n_texts, dim)."""
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        readable = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]  # a lone surrogate becomes "?"
        rows = self.model.encode(
            readable, batch_size=_BATCH, normalize_embeddings=True, convert_to_tensor=True, show_progress_bar=False
        )
        return np.asarray(rows.float().cpu().numpy(), dtype=np.float32)
