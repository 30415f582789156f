"""Every way of finding tools, by name."""

from collections.abc import Callable, Mapping
from typing import Final

from predictors.encoders.protocol import Encoder

from .channels.bm25 import Bm25
from .channels.dense import DenseDescriptions
from .channels.multi_label import MultiLabelHead
from .channels.neighbours import UsageNeighbours
from .channels.smoothed import SmoothedTool2Vec
from .channels.tool2vec import Tool2Vec
from .channels.word_neighbours import WordNeighbours
from .errors import InvalidToolError
from .protocol import ToolRetriever
from .single import SingleChannelRetriever
from .stacked import StackedRetriever
from .unused import UnusedRetriever

__all__ = ["METHODS", "build_retriever"]

METHODS: Final[Mapping[str, Callable[[Encoder], ToolRetriever]]] = {
    "bm25": lambda encoder: SingleChannelRetriever(Bm25(), encoder),
    "dense": lambda encoder: SingleChannelRetriever(DenseDescriptions(), encoder),
    "tool2vec": lambda encoder: SingleChannelRetriever(Tool2Vec(), encoder),
    "smoothed": lambda encoder: SingleChannelRetriever(SmoothedTool2Vec(), encoder),
    "smoothed-clause": lambda encoder: SingleChannelRetriever(SmoothedTool2Vec(), encoder, plane=1),
    "neighbours": lambda encoder: SingleChannelRetriever(UsageNeighbours(), encoder),
    "word-neighbours": lambda encoder: SingleChannelRetriever(WordNeighbours(), encoder),
    "multi-label": lambda encoder: SingleChannelRetriever(MultiLabelHead(), encoder),
    "unused": UnusedRetriever,
    "hybrid": lambda encoder: StackedRetriever(encoder, boosted=False),
    "refined": lambda encoder: StackedRetriever(encoder, boosted=True),
    "best": StackedRetriever,
}


def build_retriever(method: str, encoder: Encoder) -> ToolRetriever:
    """An unfitted retriever: "best" chooses among the others' evidence by itself.

    Raises:
        InvalidToolError: there is no such method.
    """
    try:
        return METHODS[method](encoder)
    except KeyError:
        raise InvalidToolError(f"no retrieval method {method!r}; there are {', '.join(METHODS)}") from None
