"""all-MiniLM-L6-v2 as an ONNX graph, written from its published weights: in float32, or with the weights in 8 bits.

The graph has no padding and no mask: all texts of a batch have the same number of pieces. Written by hand, it holds
what a general converter would leave to the runtime's optimiser: one product for query, key and value, attention as
one operator, biases within products.

In 8 bits a weight is one of 127 multiples of its output's scale, and every product's input one of 256 steps between
its least and its greatest number, found anew at each product (onnxruntime's dynamic quantisation). 127 and not 255, so
that two products fit 16 bits: processors without VNNI would else cut sums off and give other vectors. The feed-forward
layer's few outputs of the widest range would set the step for all others; they go through a product of their own.
Which they are follows from the weights: an input of the layer has been normalised.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["INPUT", "OUTPUT", "Precision", "graph_writer"]

Precision = Literal["float32", "int8"]

INPUT: Final = "input_ids"  # int64, (batch, pieces)
OUTPUT: Final = "embedding"  # float32, (batch, dim)

_EPSILON: Final = 1e-12
_HEADS: Final = 12
_STEPS: Final = 63  # a quantised weight lies between -63 and 63
_WIDEST: Final = 64  # outputs of the feed-forward layer's first half that are quantised apart
_FAR: Final = 3.0  # standard deviations: how far an output is expected to reach
_ONNXRUNTIME: Final = "com.microsoft"  # the domain of its own operators

_Floats = npt.NDArray[np.float32]


def graph_writer() -> Callable[[Mapping[str, _Floats], int, Precision], bytes]:
    """A function from weights, number of layers and precision to a serialized model.

    Raises:
        ImportError: onnx is not installed.
    """
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 - heavy, and only wanted by those who call this

    def write(weights: Mapping[str, _Floats], n_layers: int, precision: Precision) -> bytes:
        graph = _Graph(helper=helper, numpy_helper=numpy_helper, weights=weights, precision=precision)
        graph.bert(n_layers=n_layers)
        dim = weights["embeddings.LayerNorm.bias"].size
        model = helper.make_model(
            helper.make_graph(
                graph.nodes,
                "all-minilm-l6-v2",
                [helper.make_tensor_value_info(INPUT, TensorProto.INT64, ["batch", "pieces"])],
                [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", dim])],
                graph.constants,
            ),
            opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid(_ONNXRUNTIME, 1)],
            ir_version=10,
        )
        serialized: bytes = model.SerializeToString()
        return serialized

    return write


class _Graph:
    """A BERT encoder with mean pooling, written node by node; a method that adds nodes returns its result's name."""

    def __init__(
        self,
        *,
        helper: Any,  # noqa: ANN401 - a module
        numpy_helper: Any,  # noqa: ANN401 - a module
        weights: Mapping[str, _Floats],
        precision: Precision,
    ) -> None:
        self.helper, self.numpy_helper, self.weights, self.precision = helper, numpy_helper, weights, precision
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

    def linear(self, value: str, weight: _Floats, bias: _Floats | None) -> str:
        """`value @ weight + bias`, of a weight (n_in, n_out)."""
        if self.precision == "float32":
            product = self.op("MatMul", value, self.constant(weight))
            return product if bias is None else self.op("Add", product, self.constant(bias))
        scale = np.abs(weight).max(axis=0) / _STEPS  # (n_out,)
        steps = self.constant(np.round(weight / scale), np.int8)
        shift = [] if bias is None else [self.constant(bias)]
        return self.op("DynamicQuantizeMatMul", value, steps, self.constant(scale), "", *shift, domain=_ONNXRUNTIME)

    def layer(self, *names: str) -> tuple[_Floats, _Floats]:
        """Weight (n_in, n_out) and bias (n_out,) of linear layers side by side."""
        weight = np.concatenate([self.weights[f"{name}.weight"].T for name in names], axis=1)
        return weight, np.concatenate([self.weights[f"{name}.bias"] for name in names])

    def norm(self, value: str, name: str) -> str:
        scale, shift = (self.constant(self.weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.op("LayerNormalization", value, scale, shift, axis=-1, epsilon=_EPSILON)

    def embeddings(self) -> str:
        prefix = "embeddings."
        length = self.op("Gather", self.op("Shape", INPUT), self.whole(1), axis=0)
        positions = self.op("Range", self.whole(0), length, self.whole(1))
        words = self.op("Gather", self.constant(self.weights[prefix + "word_embeddings.weight"]), INPUT)
        first_sentence = self.weights[prefix + "token_type_embeddings.weight"][0]
        places = self.constant(self.weights[prefix + "position_embeddings.weight"] + first_sentence)
        return self.norm(self.op("Add", words, self.op("Gather", places, positions)), prefix + "LayerNorm")

    def attention(self, value: str, name: str) -> str:
        weight, bias = self.layer(*(f"{name}.self.{part}" for part in ("query", "key", "value")))
        together = self.linear(value, weight, bias)
        parts = [f"{together}.{part}" for part in ("query", "key", "value")]
        sizes = self.whole([len(bias) // 3] * 3)
        self.nodes.append(self.helper.make_node("Split", [together, sizes], parts, axis=-1))
        mixed = self.op("MultiHeadAttention", *parts, domain=_ONNXRUNTIME, num_heads=_HEADS)
        added = self.op("Add", self.linear(mixed, *self.layer(f"{name}.output.dense")), value)
        return self.norm(added, f"{name}.output.LayerNorm")

    def feed_forward(self, value: str, name: str) -> str:
        (up, up_bias), (down, down_bias) = self.layer(f"{name}.intermediate.dense"), self.layer(f"{name}.output.dense")
        scale, shift = (self.weights[f"{name}.attention.output.LayerNorm.{part}"] for part in ("weight", "bias"))
        reach = shift @ up + up_bias + _FAR * np.linalg.norm(scale[:, None] * up, axis=0)  # (n_hidden,)
        widest = np.argsort(-reach, kind="stable")
        added = value
        for some, bias in ((widest[:_WIDEST], None), (widest[_WIDEST:], down_bias)):
            hidden = self.op("Gelu", self.linear(value, up[:, some], up_bias[some]))
            added = self.op("Add", self.linear(hidden, down[some], bias), added)
        return self.norm(added, f"{name}.output.LayerNorm")

    def bert(self, *, n_layers: int) -> None:
        value = self.embeddings()
        for name in (f"encoder.layer.{index}" for index in range(n_layers)):
            value = self.feed_forward(self.attention(value, f"{name}.attention"), name)
        mean = self.op("ReduceMean", value, self.whole([1]), keepdims=0)
        self.nodes.append(self.helper.make_node("LpNormalization", [mean], [OUTPUT], axis=1, p=2))
