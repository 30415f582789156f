"""A fitted second stage, which judges the shortlists of new requests."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from predictors.tools.candidates import Candidates

from .co_use import CoUse
from .described import best_columns, with_first_opinion, with_the_rest
from .listwise import log_softmax
from .trees import TreeEnsemble
from .twins import Twins

__all__ = ["SecondStage", "StageChoice"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageChoice:
    """What cross-validation chose, and what every option reached on queries it was not fitted on."""

    chosen: str  # how much each opinion counts
    cross_validated: dict[str, float]  # option -> mean of recall@5 and nDCG@10, in [0, 1]
    n_queries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondStage:
    """A listwise linear score, and boosted trees that see it beside co-use, blended; then a probability.

    score = linear_share * log share of the linear score + trees, whose values have their own share in them. Trees look
    at the 32 best by the linear score; the others follow below the last of those, in its order. The probability is that
    of a sigmoid fitted on held-out scores, so that one threshold means the same on every registry that has labelled
    requests.
    """

    columns: tuple[int, ...]  # features that the linear score sees
    weights: Floats  # (n_columns,)
    trees: TreeEnsemble | None
    sees_twins: bool  # whether trees look at `Twins` too
    linear_share: float
    slope: float
    offset: float
    choice: StageChoice

    def score(self, candidates: Candidates, co_use: CoUse, twins: Twins) -> Floats:
        """Probability that each candidate is needed, shape (n_queries, n_candidates)."""
        seen = candidates.features.take(self.columns, axis=2)  # (n_queries, n_candidates, n_columns)
        linear = log_softmax(seen @ self.weights)  # (n_queries, n_candidates)
        raw = self.linear_share * linear
        if self.trees is not None:
            weighed = best_columns(linear)  # (n_queries, n_weighed)
            seen_twins = twins if self.sees_twins else None
            described = with_first_opinion(candidates, linear, co_use, weighed=weighed, twins=seen_twins)
            opinion = self.trees.predict(described.reshape(-1, described.shape[2])).reshape(weighed.shape)
            raw = with_the_rest(opinion, linear, weighed, share=self.linear_share)
        probability: Floats = 1.0 / (1.0 + np.exp(-(self.slope * raw + self.offset).clip(-60.0, 60.0)))
        return probability
