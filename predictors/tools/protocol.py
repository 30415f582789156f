"""What every way of finding tools can do, whatever is inside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from .evidence import Evidence, QueryBatch
from .registry import ToolRegistry
from .usage import ToolUsage

__all__ = ["Channel", "LateChannel", "Planes", "Rows", "ToolRanking", "ToolRetriever"]

Planes = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRanking:
    """The best tools for one request, best first; scores fall along it, and compare within one retriever only."""

    tool_ids: tuple[str, ...]
    scores: npt.NDArray[np.float64]  # (k,)


class ToolRetriever(Protocol):
    """Fitted on a registry and its past use, which may be empty; ranks the registry's tools for new requests."""

    def fit(self, registry: ToolRegistry, usage: ToolUsage) -> Self:
        """Learn; usage of tools that the registry does not hold is ignored."""
        ...

    def update(self, registry: ToolRegistry) -> Self:
        """Serve another version of the registry, keeping what was learned; new tools are cold, removed ones vanish."""
        ...

    def rank(self, queries: Sequence[str], k: int) -> list[ToolRanking]:
        """The k best tools for each request, fewer where the registry is smaller.

        Raises:
            NotFittedError: `fit` was not called.
        """
        ...


class Channel(Protocol):
    """One source of evidence for the relevance of a tool: what retrievers are made of.

    A channel gives several planes of scores; the first is the one to rank by when it stands alone. Higher is better.
    """

    @property
    def planes(self) -> tuple[str, ...]:
        """Names of the planes."""
        ...

    def learn(self, evidence: Evidence) -> Self:
        """Take in a registry and its usage."""
        ...

    def update(self, evidence: Evidence) -> Self:
        """Serve a changed registry; what was learned from usage stays."""
        ...

    def score(self, queries: QueryBatch, tools: Rows | None = None) -> Planes:
        """Scores of new requests, shape (n_planes, n_queries, n_tools).

        Args:
            queries: read by the encoder of the evidence.
            tools: rows of the registry to score, in this order; None for all.
        """
        ...

    def score_past(self, rows: Rows, stripped: Rows | None = None, tools: Rows | None = None) -> Planes:
        """Scores of past requests as if each had never been seen (leave-one-out), shape (n_planes, n_rows, n_tools).

        Args:
            rows: of the usage.
            stripped: (n_tools,) a pair of `evidence.pairs` to take from every tool that a request did not itself use,
                -1 for none. Leave-one-out takes a use from the used tool alone; where tools have equal use that
                tells the used tool from all others, and a second stage would learn to prefer the poorer one.
            tools: rows of the registry to score, in this order; None for all.
        """
        ...


@runtime_checkable
class LateChannel(Channel, Protocol):
    """A channel with planes that choose no shortlist, and are therefore scored for its candidates alone."""

    @property
    def late_planes(self) -> tuple[str, ...]:
        """Names of those planes."""
        ...

    def score_candidates(self, queries: QueryBatch, tool: Rows) -> Planes:
        """Scores of new requests' candidates, shape (n_late_planes, n_queries, n_candidates).

        Args:
            queries: read by the encoder of the evidence.
            tool: (n_queries, n_candidates) rows of the registry.
        """
        ...

    def score_past_candidates(self, rows: Rows, tool: Rows) -> Planes:
        """The same of past requests, leave-one-out, shape (n_late_planes, n_rows, n_candidates).

        Args:
            rows: of the usage.
            tool: (n_rows, n_candidates) rows of the registry.
        """
        ...
