"""Log-normal lengths that are cut off: whoever writes stops at a limit."""

import numpy as np

from catalog import Floats

__all__ = ["Caps", "capped_moments"]

_MOMENTS = np.array([[0.0], [1.0], [2.0]])


def capped_moments(mean: Floats, variance: Floats, sd: Floats, cap: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of min(X, cap), each of the inputs' shape, where log X ~ Normal(mean, variance)."""
    return Caps(cap, sd).moments(mean, variance)


class Caps:
    """Where lengths are cut off, with what follows from that alone; caps are (n,) or (n_queries, n), the rest (n,)."""

    def __init__(self, cap: Floats, sd: Floats) -> None:
        endless = np.isinf(cap)
        self._none = bool(endless.all())
        self._held = np.where(endless, 0.0, cap)
        self._sd, self._steps, self._log = sd, _MOMENTS * sd, np.log(cap)

    def moments(self, mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
        """See `capped_moments`."""
        first, second = np.exp(mean + variance / 2), np.exp(2 * (mean + variance))
        if not self._none:
            reach = (self._log - mean) / self._sd  # the cap, in standard deviations
            below = _normal_cdf(reach[..., None, :] - self._steps)  # (..., 3, n), of the moments 0 to 2
            cut = self._held * (1.0 - below[..., 0, :])
            first = first * below[..., 1, :] + cut
            second = second * below[..., 2, :] + self._held * cut
        first = np.maximum(first, 1.0)
        return first, np.sqrt(np.maximum(second - first * first, 0.0))


def _normal_cdf(z: Floats) -> Floats:
    """The standard normal distribution function to 1e-7: Abramowitz and Stegun, formula 26.2.17."""
    size = np.abs(z)
    t = 1.0 / (1.0 + 0.2316419 * size)
    poly = 1.330274429 * t
    for coefficient in (-1.821255978, 1.781477937, -0.356563782, 0.319381530):  # in place: the arrays are small
        poly += coefficient
        poly *= t
    tail = np.minimum(size, 40.0, out=size)
    tail *= size
    tail *= -0.5
    np.exp(tail, out=tail)
    tail *= 0.3989422804014327
    tail *= poly
    return np.where(z >= 0, 1.0 - tail, tail)
