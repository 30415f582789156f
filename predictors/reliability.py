"""How often a backend fails: what was seen, held to what one would expect before seeing it."""

from dataclasses import dataclass

import numpy as np

from catalog import Floats, Pool

__all__ = ["Reliability", "reliability_of"]

_EXPECTED_ERROR_RATE = 0.01  # of a hosted endpoint nobody has called yet
_EXPECTED_CALLS = 50.0  # how many calls that expectation is worth


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """Arrays of shape (n_candidates,): the mean and standard deviation of a beta posterior."""

    error_rate: Floats
    error_rate_sd: Floats


def reliability_of(pool: Pool) -> Reliability:
    """The posterior error rate of every candidate.

    The prior is Beta(0.5, 49.5): one call in a hundred fails. 30 failures of 100 calls give (0.5 + 30) / 150 = 0.203.
    """
    measured = [entry.backend.measured if entry.backend is not None else None for entry in pool.entries]
    calls = np.array([float(m.n_calls) if m is not None and m.error_rate is not None else 0.0 for m in measured])
    rate = np.array([m.error_rate if m is not None and m.error_rate is not None else 0.0 for m in measured])
    weight = _EXPECTED_CALLS + calls  # (n_candidates,)
    mean = (_EXPECTED_ERROR_RATE * _EXPECTED_CALLS + rate * calls) / weight
    return Reliability(error_rate=mean, error_rate_sd=np.sqrt(mean * (1 - mean) / (weight + 1)))
