"""What a second stage is fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from predictors.tools.candidates import Candidates

from .co_use import CoUse

__all__ = ["NewTools", "PastRequests"]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRequests:
    """Past requests with their shortlists, each described as if it had never been made."""

    candidates: Candidates  # (n_queries, ...), leave-one-out
    relevant: Bools  # (n_queries, n_candidates)
    known: Bools  # (n_queries, n_candidates) False where a missing label says nothing: neither learned from nor judged
    own: Sequence[Ints]  # the tools that each request used, in the shortlist or not; at least one
    co_use: CoUse  # of the same usage

    def __len__(self) -> int:
        return len(self.relevant)

    @property
    def n_relevant(self) -> Ints:
        """How many tools each request used, (n_queries,)."""
        return np.array([len(used) for used in self.own], dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTools:
    """Some past requests as they would have been met had tools of theirs been new: learned from, never judged by."""

    candidates: Candidates  # (n_shown, ...)
    relevant: Bools  # (n_shown, n_candidates)
    known: Bools  # (n_shown, n_candidates)
    row: Ints  # (n_shown,) of the same requests among all that the stage is fitted on
    co_use: CoUse  # without those requests
