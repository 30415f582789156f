"""The decision, from a query to a ranking. Read this file first."""

from typing import Protocol

import numpy as np

from predictors import Load, Query

from .decision import Bools, Decision
from .options import RoutingOptions
from .session import SessionState

__all__ = ["Decider"]


class Decider(Protocol):
    """What the gateway, replay and the command line need of a router."""

    def decide(
        self,
        query: Query,
        options: RoutingOptions,
        *,
        rng: np.random.Generator,
        session: SessionState | None = None,
        load: Load | None = None,
        available: Bools | None = None,
    ) -> Decision:
        """Choose among the pool's candidates.

        Args:
            query: what is asked.
            options: what the caller demands and prefers.
            rng: decides whether and where to explore; the propensity is in the decision.
            session: the conversation so far, if there is one.
            load: how busy the backends are.
            available: (n_candidates,) False where a circuit breaker is open or a budget is spent.

        Raises:
            NoEligibleModelError: every candidate breaks a constraint and the caller chose to fail.
            InvalidRoutingError: the options name a policy that does not exist.
        """
        ...
