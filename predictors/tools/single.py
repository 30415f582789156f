"""One channel as a retriever of its own: the published methods one by one, to compare with."""

from collections.abc import Sequence
from typing import Final, Self

import numpy as np

from predictors.encoders.protocol import Encoder
from predictors.errors import NotFittedError

from .evidence import Evidence, QueryBatch
from .protocol import Channel, ToolRanking
from .registry import ToolRegistry
from .usage import ToolUsage

__all__ = ["SingleChannelRetriever"]

_CHUNK: Final = 256


class SingleChannelRetriever:
    """Ranks by one plane of one channel."""

    def __init__(self, channel: Channel, encoder: Encoder, *, plane: int = 0) -> None:
        self.channel = channel
        self.encoder = encoder
        self.plane = plane

    def fit(self, registry: ToolRegistry, usage: ToolUsage) -> Self:
        """Encode the registry and its usage, and let the channel learn."""
        self.evidence_ = Evidence.gather(registry, usage, self.encoder)
        self.channel.learn(self.evidence_)
        return self

    def update(self, registry: ToolRegistry) -> Self:
        """Serve another version of the registry."""
        self._check_fitted()
        self.evidence_ = self.evidence_.with_registry(registry)
        self.channel.update(self.evidence_)
        return self

    def rank(self, queries: Sequence[str], k: int) -> list[ToolRanking]:
        """The k best tools for each request; ties in the registry's order.

        Raises:
            NotFittedError: `fit` was not called.
        """
        self._check_fitted()
        tools = self.evidence_.registry.tools
        rankings: list[ToolRanking] = []
        for start in range(0, len(queries), _CHUNK):
            batch = QueryBatch.read(queries[start : start + _CHUNK], self.encoder)
            scores = self.channel.score(batch)[self.plane].astype(np.float64)  # (n_queries, n_tools)
            order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
            rankings.extend(
                ToolRanking(tool_ids=tuple(tools[tool].tool_id for tool in best), scores=scores[row, best])
                for row, best in enumerate(order)
            )
        return rankings

    def _check_fitted(self) -> None:
        if not hasattr(self, "evidence_"):
            raise NotFittedError(self)
