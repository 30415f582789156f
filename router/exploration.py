"""Now and then another good candidate is chosen, so that the journal can say what would have happened."""

from dataclasses import dataclass

import numpy as np

from catalog import Floats

from .decision import Bools

__all__ = ["Exploration"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """With probability `rate`, one of the near-best candidates instead of the best, each with equal probability.

    Near-best means admitted and within `reach` of the best one's utility: a caller pays at most that for what is
    learned. The best one may be drawn too, so nothing is lost when it is alone.
    """

    rate: float = 0.02
    reach: float = 0.1

    def probabilities(self, utility: Floats, admitted: Bools, *, best: int) -> Floats:
        """With which probability each candidate is chosen, shape (n_candidates,); they sum to 1."""
        near = admitted & (utility >= utility[best] - self.reach)
        near[best] = True
        probability: Floats = near * (self.rate / np.count_nonzero(near))
        probability[best] += 1.0 - self.rate
        return probability

    def choose(self, utility: Floats, admitted: Bools, *, best: int, rng: np.random.Generator) -> tuple[int, float]:
        """The choice, and the exact probability with which it was made."""
        if self.rate <= 0.0:
            return best, 1.0
        probability = self.probabilities(utility, admitted, best=best)
        chosen = best
        if rng.random() < self.rate:
            chosen = int(rng.choice(np.flatnonzero(admitted & (probability > 0.0))))
        return chosen, float(probability[chosen])
