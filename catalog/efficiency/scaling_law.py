"""What an unmeasured size of a family would score, by laws fitted on others.

    loss      L = E + A / params^alpha + B / tokens^beta
    accuracy  y = g + (1 - g) exp(-a C^-b - c)       of one cluster of equally hard questions, C operations

Of the second, the law and the test of whether a cluster may be extrapolated are here; the clusters themselves and the
map from them to a whole benchmark are not. A family with one measured member borrows the size term (A, alpha) of others
and keeps its own level: four percent is about the best such a law gets, twenty still separate many choices, so every
forecast carries that band.

Source: Choshen et al., A Hitchhiker's Guide to Scaling Law Estimation, arXiv 2410.11840, with the constants of
Muennighoff et al. 2023; Xu et al., Clustering On Difficulty, arXiv 2502.17262.
"""

import math
from dataclasses import dataclass

from catalog.errors import InvalidMeasurementError

__all__ = ["BEST_ERROR", "MUENNIGHOFF", "USEFUL_ERROR", "DifficultyLaw", "ScalingLaw"]

BEST_ERROR, USEFUL_ERROR = 0.04, 0.20  # mean relative error of a forecast: about the least, and about the most


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingLaw:
    """Loss by parameters and training tokens."""

    floor: float  # E
    size_scale: float  # A
    size_power: float  # alpha
    data_scale: float  # B
    data_power: float  # beta

    def loss(self, *, params: float, tokens: float) -> float:
        """Expected loss, nats per token.

        Raises:
            InvalidMeasurementError: params or tokens is not positive.
        """
        if min(params, tokens) <= 0:
            raise InvalidMeasurementError(f"parameters and tokens must be positive, not {params} and {tokens}")
        expected: float = self.floor + self.size_scale / params**self.size_power
        return expected + float(self.data_scale / tokens**self.data_power)

    def sibling_loss(self, *, measured_loss: float, measured_params: float, params: float) -> float:
        """Loss of another size trained alike: the measured one's own level with this law's size term."""
        if min(measured_params, params) <= 0:
            raise InvalidMeasurementError(f"sizes must be positive, not {measured_params} and {params}")
        moved: float = self.size_scale * (params**-self.size_power - measured_params**-self.size_power)
        return measured_loss + moved


MUENNIGHOFF = ScalingLaw(
    floor=math.exp(0.6254804),
    size_scale=math.exp(6.255414),
    size_power=0.3526596,
    data_scale=math.exp(7.3049974),
    data_power=0.3526596,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DifficultyLaw:
    """Accuracy on one cluster by operations. Only one that `extrapolates` may be forecast; others are measured."""

    chance: float  # g
    a: float
    b: float
    c: float

    def accuracy(self, operations: float) -> float:
        """Expected accuracy at so many operations, in the units that the law was fitted in."""
        if operations <= 0:
            raise InvalidMeasurementError(f"operations must be positive, not {operations}")
        return self.chance + (1.0 - self.chance) * math.exp(-self.a * operations**-self.b - self.c)

    @property
    def extrapolates(self) -> bool:
        """Does the cluster rise with operations, and towards a ceiling worth rising to?"""
        return self.a > 1 and self.b > 0.1 and 0 <= self.c < 1
