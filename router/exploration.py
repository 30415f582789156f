"""Now and then another good candidate is chosen, so that the journal can say what would have happened."""

from dataclasses import dataclass

import numpy as np

from catalog import Floats

from .decision import Bools, Positions

__all__ = ["Exploration"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """With probability `rate`, one of the near-best candidates instead of the best, each with equal probability.

    Near-best means admitted and within `reach` of the best one's utility: a caller pays at most that for what is
    learned. The best one may be drawn too, so nothing is lost when it is alone.
    """

    rate: float = 0.02
    reach: float = 0.1

    def near_best(self, utility: Floats, admitted: Bools, best: Positions) -> Bools:
        """Who may be drawn, (n_queries, n_candidates); utility and admission are of that shape, `best` (n_queries,)."""
        rows = np.arange(len(best))
        near: Bools = admitted & (utility >= utility[rows, best][:, None] - self.reach)
        near[rows, best] = True
        return near

    def choose(self, near: Bools, *, best: int, rng: np.random.Generator) -> tuple[int, Floats | None]:
        """The choice for one query among `near`, (n_candidates,), and the exact probability of everybody's, likewise.

        None in place of the probabilities: nobody else could have been chosen.
        """
        if self.rate <= 0.0:
            return best, None
        drawable = near.nonzero()[0]
        chosen = int(rng.choice(drawable)) if rng.random() < self.rate else best
        if len(drawable) == 1:
            return chosen, None
        propensities = np.where(near, self.rate / len(drawable), 0.0)  # (n_candidates,)
        propensities[best] += 1.0 - self.rate
        return chosen, propensities
