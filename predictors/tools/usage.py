"""Which tools were used for which requests: what retrieval learns from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt

from .errors import InvalidToolError
from .registry import ToolRegistry

__all__ = ["GoldPairs", "ToolUsage"]

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldPairs:
    """Every (request, used tool) pair as two parallel arrays, ordered by request."""

    query: Rows  # (n_pairs,) row of the request
    tool: Rows  # (n_pairs,) row of the tool in the registry


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUsage:
    """Past requests, each with the ids of the tools that served it."""

    queries: tuple[str, ...] = ()
    tool_ids: tuple[tuple[str, ...], ...] = field(default=())

    def __post_init__(self) -> None:
        if len(self.queries) != len(self.tool_ids):
            raise InvalidToolError(
                f"{len(self.queries)} queries but {len(self.tool_ids)} lists of tools; give one each"
            )

    def __len__(self) -> int:
        return len(self.queries)

    @classmethod
    def of(cls, queries: Sequence[str], tool_ids: Sequence[Sequence[str]]) -> Self:
        """From any sequences; a tool named twice for one request counts once.

        Raises:
            InvalidToolError: a request is no text, or has no list of names, as where a table has empty cells.
        """
        for row, (query, ids) in enumerate(zip(queries, tool_ids, strict=False)):
            is_list = isinstance(ids, Iterable) and not isinstance(ids, str)
            if not isinstance(query, str) or not is_list or not all(isinstance(name, str) for name in ids):
                raise InvalidToolError(f"request {row} (of 0, 1, ...): needs a text and the ids of its tools")
        return cls(queries=tuple(queries), tool_ids=tuple(tuple(dict.fromkeys(ids)) for ids in tool_ids))

    def subset(self, rows: Sequence[int] | Rows) -> "ToolUsage":
        """The requests of these rows, in this order."""
        return ToolUsage(
            queries=tuple(self.queries[row] for row in rows), tool_ids=tuple(self.tool_ids[row] for row in rows)
        )

    def within(self, registry: ToolRegistry) -> "ToolUsage":
        """Only what concerns tools of this registry; requests that used none of them are left out."""
        kept = [
            (query, tuple(tool_id for tool_id in ids if tool_id in registry))
            for query, ids in zip(self.queries, self.tool_ids, strict=True)
        ]
        kept = [(query, ids) for query, ids in kept if ids]
        return ToolUsage(queries=tuple(query for query, _ in kept), tool_ids=tuple(ids for _, ids in kept))

    def pairs(self, registry: ToolRegistry) -> GoldPairs:
        """Rows of requests and tools.

        Raises:
            UnknownToolError: a request used a tool that the registry does not hold; see `within`.
        """
        pairs = [(row, registry.row(tool_id)) for row, ids in enumerate(self.tool_ids) for tool_id in ids]
        table = np.array(pairs, dtype=np.int64).reshape(-1, 2)  # (n_pairs, 2)
        return GoldPairs(query=table[:, 0], tool=table[:, 1])
