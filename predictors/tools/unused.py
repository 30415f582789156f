"""The default as it ranks tools that nobody has used yet: what learning from use is measured against."""

from typing import Self

from .registry import ToolRegistry
from .stacked import StackedRetriever
from .usage import ToolUsage

__all__ = ["UnusedRetriever"]


class UnusedRetriever(StackedRetriever):
    """`StackedRetriever` that is told of no usage: fixed weights over words and meaning."""

    def fit(self, registry: ToolRegistry, usage: ToolUsage) -> Self:  # noqa: ARG002 - whatever was used
        """Read the tools."""
        return super().fit(registry, ToolUsage())
