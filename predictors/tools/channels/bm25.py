"""Word matching: BM25 over name, description and parameters, together and apart."""

from typing import Self

import numpy as np

from predictors.tools.evidence import Evidence, QueryBatch
from predictors.tools.lexical import LexicalIndex
from predictors.tools.protocol import Planes, Rows
from predictors.tools.registry import Tool, ToolRegistry
from predictors.tools.schema_words import schema_words
from predictors.tools.words import words_of

__all__ = ["Bm25"]


class Bm25:
    """BM25 of the whole text of a tool, of each field alone, of the best clause, and how much of the name was said."""

    planes = ("bm25", "bm25_name", "bm25_description", "bm25_parameters", "bm25_clause", "name_coverage")

    def __init__(self, *, k1: float = 1.5, b: float = 0.75) -> None:
        self.k1, self.b = k1, b

    def learn(self, evidence: Evidence) -> Self:
        """Index every tool of the registry; usage plays no part."""
        self.index_ = LexicalIndex(n_fields=4, k1=self.k1, b=self.b)
        self.slots_ = np.array([self.index_.add(_fields(tool)) for tool in evidence.registry], dtype=np.int64)
        self.registry_: ToolRegistry = evidence.registry
        self.past_ = evidence.past
        return self

    def update(self, evidence: Evidence) -> Self:
        """Index what is new or changed, forget what is gone."""
        change = evidence.registry.change_since(self.registry_)
        slot_of = {tool.tool_id: int(self.slots_[row]) for row, tool in enumerate(self.registry_)}
        for tool_id in (*change.removed, *change.changed):
            self.index_.remove(slot_of.pop(tool_id))
        for tool in evidence.registry:
            if tool.tool_id not in slot_of:
                slot_of[tool.tool_id] = self.index_.add(_fields(tool))
        self.slots_ = np.array([slot_of[tool.tool_id] for tool in evidence.registry], dtype=np.int64)  # (n_tools,)
        self.registry_, self.past_ = evidence.registry, evidence.past
        return self

    def score(self, queries: QueryBatch, tools: Rows | None = None) -> Planes:
        """Scores of new requests, shape (n_planes, n_queries, n_tools)."""
        slots = self.slots_ if tools is None else self.slots_[tools]  # (n_tools,)
        planes = np.zeros((len(self.planes), len(queries), len(slots)), dtype=np.float32)
        for row in range(len(queries)):
            clauses = queries.clause_words[queries.starts[row] + 1 : queries.starts[row + 1]]
            scores, coverage, of_clauses = self.index_.scores_of_query(queries.words[row], clauses)
            planes[:4, row] = scores[slots].T
            planes[4, row] = of_clauses[:, slots].max(axis=0) if clauses else planes[0, row]
            planes[5, row] = coverage[slots, 1]
        return planes

    def score_past(self, rows: Rows, stripped: Rows | None = None, tools: Rows | None = None) -> Planes:  # noqa: ARG002
        """The same as `score`: nothing was learned from past requests."""
        return self.score(self.past_.subset(rows), tools)


def _fields(tool: Tool) -> tuple[list[str], ...]:
    name, description, parameters = words_of(tool.name), words_of(tool.description), schema_words(tool.parameters)
    return [*name, *description, *parameters], name, description, parameters
