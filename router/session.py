"""Session affinity: what a conversation has at stake when its model changes, and when it stays."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from catalog import Floats, Pool, record
from predictors import Forecasts, Query
from predictors.cost import BoundCost

from .decision import Bools

__all__ = ["SessionAffinity", "SessionState"]


@record
class SessionState:
    """What the gateway knows of the conversation a request belongs to."""

    backend_id: str  # who answered last
    cached_tokens: int = 0  # of the prompt, likely still in that provider's cache
    pinned: bool = False  # provider-bound state (a reasoning signature) forbids any other provider
    tools: tuple[str, ...] = ()  # sent with the last turn, in that order, where the gateway chose among more


class SessionAffinity:
    """Keeps a conversation with its model unless moving is worth more than what moving loses.

    What is lost is the prompt cache: its tokens are charged at the plain input price elsewhere. On top of that a change
    must gain `margin` of utility, because a conversation that swings between models costs its reader more than a small
    gain is worth.
    """

    def __init__(self, pool: Pool, *, margin: float = 0.05) -> None:
        self.margin = margin
        self._position = {backend_id: i for i, backend_id in enumerate(pool.backend_ids) if backend_id is not None}
        self._cost = BoundCost(pool)
        self._n_candidates = len(pool)

    def priced(
        self, forecasts: Forecasts, queries: Sequence[Query], sessions: Sequence[SessionState | None]
    ) -> Forecasts:
        """The forecasts as these conversations would pay them; query, session and forecast go by position.

        A forecast prices `query.cached_tokens` at everybody's cache rate, as if each held the prompt; in truth only
        the current backend holds something: `session.cached_tokens`.
        """
        cost_usd = forecasts.cost_usd
        for row, (query, session) in enumerate(zip(queries, sessions, strict=True)):
            if session is not None and (query.cached_tokens > 0 or session.cached_tokens > 0):
                cost_usd = cost_usd.copy() if cost_usd is forecasts.cost_usd else cost_usd
                cost_usd[row] += self._cached_in_vain(query, session) * self._cost.cache_saves_usd(query.input_tokens)
                np.maximum(cost_usd[row], 0.0, out=cost_usd[row])
        return forecasts if cost_usd is forecasts.cost_usd else replace(forecasts, cost_usd=cost_usd)

    def _cached_in_vain(self, query: Query, session: SessionState) -> Floats:
        """Tokens that a forecast takes for cached and are not, (n_candidates,); below 0 where it is the other way."""
        held = np.zeros(self._n_candidates)
        if session.backend_id in self._position:
            held[self._position[session.backend_id]] = min(session.cached_tokens, query.input_tokens)
        return min(query.cached_tokens, query.input_tokens) - held

    def kept(self, utility: Floats, admitted: Bools, *, best: int, session: SessionState | None) -> int | None:
        """The current model's position if the conversation stays with it, else None.

        Only an admitted one is kept: a policy that lets nobody fall too far below the best quality means every turn.
        """
        current = None if session is None else self._position.get(session.backend_id)
        if current is None or not admitted[current] or np.isnan(utility[current]):
            return None
        return current if utility[best] - utility[current] <= self.margin else None
