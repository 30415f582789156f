"""Who is tried first, second, and so on."""

from collections.abc import Mapping, Sequence

import numpy as np

from catalog import Floats, Pool, first_meant
from router.decision import Bools, Positions
from router.wishes.options import RoutingOptions

__all__ = ["Order"]


class Order:
    """Ranks one pool's candidates: the caller's own order first, then by utility."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def by_utility(self, utility: Floats, eligible: Bools, admitted: Bools) -> Positions:
        """Of every query the admitted candidates, then the other eligible ones, then the rest, each by utility.

        Arrays are (n_queries, n_candidates), and so is what it gives: positions in the pool.
        """
        turn = np.where(admitted, 0, np.where(eligible, 1, 2)).astype(np.int8)
        positions: Positions = np.lexsort((-utility, turn))
        return positions

    def ranking(self, by_utility: Sequence[int], options: RoutingOptions, *, first: int) -> list[int]:
        """Those the caller names in the caller's order, then `first`, then by utility."""
        ranked = [first, *[i for i in by_utility if i != first]]
        if not options.order:
            return ranked
        places = {name: at for at, name in reversed(tuple(enumerate(options.order)))}  # where each stands first
        turn = {i: self._turn(i, options.order, places) for i in ranked}
        return sorted(ranked, key=turn.__getitem__)  # stable: within a turn by utility

    def fallbacks(self, ranking: Sequence[int], options: RoutingOptions, *, first: int) -> tuple[int, ...]:
        """The ranking with the chosen one first; without fallbacks only the same model may answer elsewhere."""
        rest = [i for i in ranking if i != first]
        if not options.allow_fallbacks:
            rest = [i for i in rest if self._pool.ids[i] == self._pool.ids[first]]
        return (first, *rest)

    def _turn(self, candidate: int, order: tuple[str, ...], places: Mapping[str, int]) -> int:
        """The first of the caller's names that means this candidate: an id or glob, a backend, or a provider."""
        entry = self._pool.entries[candidate]
        others = (entry.backend.provider, entry.backend.id) if entry.backend else (entry.profile.owner,)
        meant = first_meant((entry.profile.id, *entry.profile.aliases), order)
        return min(meant, *(places.get(name, meant) for name in others))
