"""What every retrieval method looks at, computed once: vectors and words of tools, of past requests and of new ones.

`QueryBatch` is requests, split into clauses and encoded. `Evidence` is a registry with its past requests: who used
what, how often, and where counts tell too much (`levelled`, `labelled_until`; docs/tools.md, "Leave-one-out features").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Final

import numpy as np
import numpy.typing as npt

from predictors.encoders.protocol import Encoder, Vectors

from .aligned import at_cache_line
from .registry import Tool, ToolRegistry
from .text.clauses import clauses_of
from .text.schema_words import schema_words
from .text.words import words_of
from .tool_vectors import vectors_of
from .usage import GoldPairs, ToolUsage

__all__ = ["Evidence", "QueryBatch"]

_MIN_CAPPED: Final = 5  # counts that grew by themselves have one to three tools at their very maximum
_MIN_CAPPED_SHARE: Final = 0.01  # of the used tools


@dataclass(frozen=True, kw_only=True)
class QueryBatch:
    """Requests, read and encoded.

    The clauses of request i are rows `starts[i]` to `starts[i + 1]`; the first of them is the whole text.
    """

    words: tuple[tuple[str, ...], ...]
    clause_words: tuple[tuple[str, ...], ...]
    clause_vectors: Vectors  # (n_clauses, dim), unit rows
    starts: npt.NDArray[np.int64]  # (n_queries + 1,)

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def vectors(self) -> Vectors:
        """Unit rows of the whole requests, shape (n_queries, dim)."""
        if len(self) == 1:
            return self.clause_vectors[:1]
        return at_cache_line(self.clause_vectors[self.starts[:-1]])

    @classmethod
    def read(cls, texts: Sequence[str], encoder: Encoder) -> "QueryBatch":
        """Split and encode requests."""
        clauses = [clauses_of(text) for text in texts]
        flat = [part for parts in clauses for part in parts]
        return cls._of(clauses, encoder.encode(flat) if flat else np.zeros((0, encoder.dim), dtype=np.float32))

    @classmethod
    def restored(cls, texts: Sequence[str], clause_vectors: Vectors) -> "QueryBatch":
        """Requests whose vectors are at hand.

        Raises:
            ValueError: the requests have another number of clauses than there are vectors.
        """
        clauses = [clauses_of(text) for text in texts]
        if sum(map(len, clauses)) != len(clause_vectors):
            raise ValueError(f"{sum(map(len, clauses))} clauses have {len(clause_vectors)} vectors")
        return cls._of(clauses, clause_vectors)

    @classmethod
    def _of(cls, clauses: Sequence[Sequence[str]], vectors: Vectors) -> "QueryBatch":
        starts = [0, *accumulate(map(len, clauses))]
        clause_words = tuple(tuple(words_of(part)) for parts in clauses for part in parts)
        return cls(
            words=tuple(clause_words[start] for start in starts[:-1]),
            clause_words=clause_words,
            clause_vectors=vectors,
            starts=np.array(starts, dtype=np.int64),
        )

    def subset(self, rows: npt.NDArray[np.int64]) -> "QueryBatch":
        """The requests of these rows, in this order."""
        picked = [np.arange(self.starts[row], self.starts[row + 1]) for row in rows]
        flat = np.concatenate(picked) if picked else np.zeros(0, dtype=np.int64)  # (n_clauses,)
        starts = np.zeros(len(picked) + 1, dtype=np.int64)
        np.cumsum([len(rows_) for rows_ in picked], out=starts[1:])
        return QueryBatch(
            words=tuple(self.words[row] for row in rows),
            clause_words=tuple(self.clause_words[row] for row in flat),
            clause_vectors=self.clause_vectors[flat],
            starts=starts,
        )


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A registry and its usage, encoded by one encoder."""

    registry: ToolRegistry
    usage: ToolUsage
    encoder: Encoder
    tool_vectors: Vectors  # (n_tools, dim), unit rows of `vectors_of`
    past: QueryBatch  # the requests of `usage`
    pairs: GoldPairs
    counts: npt.NDArray[np.int64]  # (n_tools,) requests that used the tool
    parameter_words: Mapping[str, tuple[str, ...]]  # `schema_words` by tool, of those that were read for this evidence
    observed_sums: npt.NDArray[np.float32] | None = None  # (n_tools, dim) of requests known by their sums alone
    observed_counts: npt.NDArray[np.int64] | None = None  # (n_tools,) how many requests those sums are worth

    @classmethod
    def gather(cls, registry: ToolRegistry, usage: ToolUsage, encoder: Encoder) -> "Evidence":
        """Encode everything; usage of tools that the registry does not hold is left out."""
        known = usage.within(registry)
        words = _parameter_words(registry.tools)
        return cls._of(
            registry=registry,
            usage=known,
            encoder=encoder,
            tool_vectors=vectors_of(registry.tools, [*words.values()], encoder),
            parameter_words=words,
            past=QueryBatch.read(known.queries, encoder),
        )

    @classmethod
    def restored(
        cls,
        *,
        registry: ToolRegistry,
        usage: ToolUsage,
        encoder: Encoder,
        tool_vectors: Vectors,
        past: QueryBatch,
        observed_sums: npt.NDArray[np.float32] | None = None,
        observed_counts: npt.NDArray[np.int64] | None = None,
    ) -> "Evidence":
        """Evidence whose vectors are at hand; `usage` holds tools of the registry only."""
        known = cls._of(
            registry=registry,
            usage=usage,
            encoder=encoder,
            tool_vectors=tool_vectors,
            parameter_words={},
            past=past,
        )
        return replace(known, observed_sums=observed_sums, observed_counts=observed_counts)

    def with_registry(self, registry: ToolRegistry) -> "Evidence":
        """The same usage over another version of the registry; only tools that are new or changed are encoded."""
        change = registry.change_since(self.registry)
        fresh = {*change.added, *change.changed}
        tools = [tool for tool in registry if tool.tool_id in fresh]
        vectors = np.empty((len(registry), self.tool_vectors.shape[1]), dtype=np.float32)  # (n_tools, dim)
        kept = [(row, self.registry.row(t.tool_id)) for row, t in enumerate(registry) if t.tool_id not in fresh]
        if kept:
            to, origin = np.array(kept).T
            vectors[to] = self.tool_vectors[origin]
        words = _parameter_words(tools)
        if tools:
            vectors[[registry.row(t.tool_id) for t in tools]] = vectors_of(tools, [*words.values()], self.encoder)
        known = self.usage.within(registry)
        unchanged = known.queries == self.usage.queries
        past = self.past if unchanged else QueryBatch.read(known.queries, self.encoder)
        return self._of(
            registry=registry,
            usage=known,
            encoder=self.encoder,
            tool_vectors=vectors,
            parameter_words=words,
            past=past,
        )

    def without(self, requests: npt.NDArray[np.int64]) -> "Evidence":
        """The same tools as if the past requests of these rows had never been made; nothing is encoded."""
        kept = np.setdiff1d(np.arange(len(self.past)), requests)
        return self._of(
            registry=self.registry,
            usage=self.usage.subset(kept),
            encoder=self.encoder,
            tool_vectors=self.tool_vectors,
            parameter_words=self.parameter_words,
            past=self.past.subset(kept),
        )

    def with_observed(self, sums: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> "Evidence":
        """With calls that are known as decayed sums, not one by one, in the place of those known so far.

        Args:
            sums: (n_tools, dim) of request vectors.
            weights: (n_tools,) requests of today that the sums are worth.
        """
        return replace(self, observed_sums=sums.astype(np.float32), observed_counts=np.round(weights).astype(np.int64))

    @property
    def is_even(self) -> bool:
        """Whether tools are used more evenly than chance would have it: variance of counts below their mean.

        A tool picked by its use has E[n^2] / E[n] uses, so leave-one-out leaves it mean + variance / mean - 1 where
        any tool has the mean: less than others exactly when this is true, as with so many examples for each tool.
        """
        return bool(len(self.counts) > 0 and self.counts.var() < 0.9 * self.counts.mean())

    @cached_property
    def levelled(self) -> npt.NDArray[np.bool_]:
        """Tools so level in use with others that losing one use would name them: all where use is even, or the capped.

        Shape (n_tools,).
        """
        return np.full(len(self.counts), fill_value=True) if self.is_even else self._capped

    @property
    def labelled_until(self) -> npt.NDArray[np.int64]:
        """The past request after which a tool's missing label says nothing, (n_tools,); past the last for most.

        Use of a capped tool was recorded up to so many examples and no further: requests after its last example may
        have used it all the same.
        """
        last = np.zeros(len(self.counts), dtype=np.int64)  # (n_tools,)
        np.maximum.at(last, self.pairs.tool, self.pairs.query)
        return np.where(self._capped, last, len(self.past))

    @cached_property
    def _capped(self) -> npt.NDArray[np.bool_]:
        """Tools at the highest count, where so many stand there that use must have been cut off, (n_tools,)."""
        most = int(self.counts.max(initial=0))
        full = self.counts == most  # (n_tools,)
        enough = max(_MIN_CAPPED, _MIN_CAPPED_SHARE * np.count_nonzero(self.counts))
        return full if most > 0 and full.sum() >= enough else np.zeros_like(full)

    @property
    def mean_uses(self) -> float:
        """Requests that used a tool, on average over the tools that were used at all; 0 where none was."""
        used = self.counts[self.counts > 0]  # (n_used,)
        return float(used.mean()) if len(used) else 0.0

    @property
    def uses(self) -> npt.NDArray[np.int64]:
        """All known use of each tool, one by one or in sums, (n_tools,)."""
        return self.counts if self.observed_counts is None else self.counts + self.observed_counts

    @classmethod
    def _of(
        cls,
        *,
        registry: ToolRegistry,
        usage: ToolUsage,
        encoder: Encoder,
        tool_vectors: Vectors,
        parameter_words: Mapping[str, tuple[str, ...]],
        past: QueryBatch,
    ) -> "Evidence":
        pairs = usage.pairs(registry)
        counts = np.bincount(pairs.tool, minlength=len(registry)).astype(np.int64)  # (n_tools,)
        return cls(
            registry=registry,
            usage=usage,
            encoder=encoder,
            tool_vectors=at_cache_line(tool_vectors),
            parameter_words=parameter_words,
            past=past,
            pairs=pairs,
            counts=counts,
        )


def _parameter_words(tools: Sequence[Tool]) -> dict[str, tuple[str, ...]]:
    """The words of each tool's parameters, each distinct word held once."""
    held: dict[str, str] = {}
    return {tool.tool_id: tuple([held.setdefault(w, w) for w in schema_words(tool.parameters)]) for tool in tools}
