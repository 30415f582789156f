"""How well a ranking of tools serves a request: recall, discounted gain and completeness, one value per request."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catalog import Floats
from eval.errors import UndefinedMetricError

__all__ = ["Hits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """Which places of each ranking hold a relevant tool."""

    at_rank: npt.NDArray[np.bool_]  # (n_queries, depth)
    n_relevant: npt.NDArray[np.int64]  # (n_queries,), at least 1

    @classmethod
    def of(cls, ranked: Sequence[Sequence[str]], relevant: Sequence[Sequence[str]], *, depth: int) -> "Hits":
        """Compare rankings with labels; a ranking shorter than `depth` has no hits beyond its end.

        Raises:
            UndefinedMetricError: a request has no relevant tool, or a ranking names a tool twice.
        """
        at_rank = np.zeros((len(ranked), depth), dtype=bool)
        for row, (tools, wanted) in enumerate(zip(ranked, relevant, strict=True)):
            if not wanted:
                raise UndefinedMetricError(f"query {row} has no relevant tool; leave it out")
            if len(set(tools)) < len(tools):
                raise UndefinedMetricError(f"the ranking of query {row} names a tool twice")
            found = set(wanted)
            at_rank[row, : len(tools)] = [tool in found for tool in tools[:depth]]
        return cls(at_rank=at_rank, n_relevant=np.array([len(set(wanted)) for wanted in relevant], dtype=np.int64))

    def recall(self, k: int) -> Floats:
        """Relevant tools in the top k, as a share of all relevant tools, (n_queries,)."""
        return np.asarray(self.at_rank[:, :k].sum(axis=1) / self.n_relevant)

    def completeness(self, k: int) -> Floats:
        """1 where every relevant tool is in the top k, else 0, (n_queries,): COMP@k of COLT."""
        return np.asarray(self.at_rank[:, :k].sum(axis=1) == self.n_relevant, dtype=np.float64)

    def ndcg(self, k: int) -> Floats:
        """Discounted gain of the top k, with gain 1 for a relevant tool, over the best possible, (n_queries,)."""
        discount = 1.0 / np.log2(np.arange(2, k + 2))  # (k,)
        gain = (self.at_rank[:, :k] * discount[: self.at_rank.shape[1]]).sum(axis=1)
        ideal = np.cumsum(discount)[np.minimum(self.n_relevant, k) - 1]
        return np.asarray(gain / ideal)
