"""Now and then another good candidate is chosen, so that the journal can say what would have happened."""

from dataclasses import dataclass

import numpy as np

from catalog import Floats
from router.decision import Bools, Positions

__all__ = ["Exploration"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """With probability `rate`, one of the near-best candidates instead of the best, each with equal probability.

    Near-best means admitted and within `reach` of the best one's utility: a caller pays at most that for what is
    learned. The best one may be drawn too, so nothing is lost when it is alone.
    """

    rate: float = 0.02
    reach: float = 0.1

    def propensities(self, utility: Floats, admitted: Bools, best: Positions) -> Floats:
        """How likely everybody is to be chosen, exactly, (n_queries, n_candidates).

        Utility and admission are of that shape, `best` (n_queries,).
        """
        rows = np.arange(len(best))
        near = admitted & (utility >= utility[rows, best][:, None] - self.reach)
        near[rows, best] = True
        n_near = near.sum(axis=1)  # (n_queries,)
        likely: Floats = near * (self.rate / n_near)[:, None]
        likely[rows, best] = np.where(n_near > 1, self.rate / n_near + (1.0 - self.rate), 1.0)
        return likely

    def choose(self, propensities: Floats, *, best: int, rng: np.random.Generator) -> int:
        """The choice for one query, whose propensities these are, (n_candidates,)."""
        if self.rate <= 0.0 or rng.random() >= self.rate:
            return best
        return int(rng.choice(propensities.nonzero()[0]))
