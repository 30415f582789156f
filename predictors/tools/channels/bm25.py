"""Word matching: BM25 over name, description and parameters, together and apart."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from predictors.tools.evidence import Evidence, QueryBatch
from predictors.tools.protocol import Planes, Rows
from predictors.tools.registry import Tool, ToolRegistry
from predictors.tools.text.lexical import LexicalIndex
from predictors.tools.text.schema_words import schema_words
from predictors.tools.text.words import words_of

from .clause_share import share_of_parts

__all__ = ["Bm25"]


class Bm25:
    """BM25 of the whole text of a tool, of each field alone, of the best clause, and how much of the name was said.

    The last plane says which share of the clauses is a tool's, each clause's scores as shares of its best.
    """

    planes = (
        "bm25",
        "bm25_name",
        "bm25_description",
        "bm25_parameters",
        "bm25_clause",
        "name_coverage",
        "bm25_clause_share",
    )

    def __init__(self, *, k1: float = 1.5, b: float = 0.75) -> None:
        self.k1, self.b = k1, b

    def learn(self, evidence: Evidence) -> Self:
        """Index every tool of the registry; usage plays no part."""
        self.index_ = LexicalIndex(n_fields=4, k1=self.k1, b=self.b)
        self._take(evidence, self.index_.add(_fields(tool, evidence) for tool in evidence.registry).tolist())
        return self

    def fitted(self) -> dict[str, npt.NDArray[Any]]:
        """The index, and where every tool stands in it."""
        return {"slots": self.slots_, **self.index_.to_arrays()}

    def restore(self, evidence: Evidence, fitted: Mapping[str, npt.NDArray[Any]]) -> Self:
        """As after `learn` on this evidence, without reading a tool.

        Raises:
            KeyError, ValueError: this is not what an index of this registry holds.
        """
        if len(fitted["slots"]) != len(evidence.registry):
            raise ValueError("the lexical index is that of another registry")
        self.index_ = LexicalIndex(n_fields=4, k1=self.k1, b=self.b).take_arrays(fitted)
        self._take(evidence, fitted["slots"].tolist())
        return self

    def update(self, evidence: Evidence) -> Self:
        """Index what is new or changed, forget what is gone."""
        change = evidence.registry.change_since(self.registry_)
        slot_of = {tool.tool_id: int(self.slots_[row]) for row, tool in enumerate(self.registry_)}
        self.index_.remove([slot_of.pop(tool_id) for tool_id in (*change.removed, *change.changed)])
        coming = [tool for tool in evidence.registry if tool.tool_id not in slot_of]
        slots = self.index_.add(_fields(tool, evidence) for tool in coming)
        slot_of |= zip([tool.tool_id for tool in coming], slots.tolist(), strict=True)
        self._take(evidence, [slot_of[tool.tool_id] for tool in evidence.registry])
        return self

    def score(self, queries: QueryBatch, tools: Rows | None = None) -> Planes:
        """Scores of new requests, shape (n_planes, n_queries, n_tools)."""
        slots = self.slots_ if tools is None else self.slots_[tools]  # (n_tools,)
        is_whole = tools is None and self.in_order_
        found = slice(None) if is_whole else slots  # nothing to pick or to put in order: views will do
        planes = np.empty((len(self.planes), len(queries), len(slots)), dtype=np.float32)
        for row in range(len(queries)):
            clauses = queries.clause_words[queries.starts[row] + 1 : queries.starts[row + 1]]
            scores, coverage, of_parts = self.index_.scores_of_query(queries.words[row], clauses, covered=_NAME)
            planes[:4, row] = scores[:, found]
            of_clauses = of_parts[:, found].astype(np.float32) if clauses else planes[:1, row]  # (n_clauses, n_tools)
            planes[4, row] = of_clauses.max(axis=0)
            planes[5, row] = coverage[found]
            planes[6, row] = _share_of_clauses(of_clauses)
        return planes

    def score_past(self, rows: Rows, stripped: Rows | None = None, tools: Rows | None = None) -> Planes:  # noqa: ARG002
        """The same as `score`: nothing was learned from past requests."""
        return self.score(self.past_.subset(rows), tools)

    def _take(self, evidence: Evidence, slots: Sequence[int]) -> None:
        self.slots_ = np.array(slots, dtype=np.int64)  # (n_tools,)
        self.in_order_ = np.array_equal(self.slots_, np.arange(self.index_.n_slots))
        self.registry_: ToolRegistry = evidence.registry
        self.past_ = evidence.past


def _share_of_clauses(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Which share of the clauses is a tool's, shape (n_tools,), where every clause's best score is 1."""
    relative = scores / np.maximum(scores.max(axis=1, keepdims=True, initial=0.0), np.float32(1e-6))
    return share_of_parts(relative, temperature=_TEMPERATURE)


_NAME: Final = 1  # its place among the fields of `_fields`
_TEMPERATURE: Final = 1 / 6  # of shares of the best score


def _fields(tool: Tool, evidence: Evidence) -> tuple[Sequence[str], ...]:
    known = evidence.parameter_words.get(tool.tool_id)
    parameters = schema_words(tool.parameters) if known is None else known
    name, description = words_of(tool.name[:_MOST_CHARS]), words_of(tool.description[:_MOST_CHARS])
    return [*name, *description, *parameters], name, description, parameters


_MOST_CHARS: Final = 8_000  # of a field: nobody's description is longer, but anybody can send one that is
