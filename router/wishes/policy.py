"""A policy: how much each goal weighs, how cautious to be about quality, and what must hold."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from router.errors import InvalidRoutingError

from .constraints import Constraints
from .goals import GOALS

__all__ = ["Policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Weights are Tryage's lambdas over costs in about [0, 1]; the weight of quality is 1 unless it is given.

    `quality_within` makes the policy an epsilon-constraint one: only candidates whose quality comes within that
    distance of the best one's are considered first, and the weights choose among these. A weighted sum alone cannot
    reach points in the hollows of the front.
    """

    weights: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    caution: float = 0.5  # standard errors subtracted from the expected quality before anything is compared
    quality_within: float | None = None
    require: Constraints = field(default_factory=Constraints)

    def __post_init__(self) -> None:
        for goal, weight in self.weights.items():
            if goal not in GOALS:
                raise InvalidRoutingError(field=f"weights.{goal}", problem=f"unknown goal; choose from {_names()}")
            if not (math.isfinite(weight) and weight >= 0):
                raise InvalidRoutingError(field=f"weights.{goal}", problem=f"must be a number >= 0, not {weight}")
        if not (math.isfinite(self.caution) and self.caution >= 0):
            raise InvalidRoutingError(field="caution", problem=f"must be a number >= 0, not {self.caution}")
        if self.quality_within is not None and not 0 <= self.quality_within <= 1:
            raise InvalidRoutingError(
                field="quality_within", problem=f"must lie between 0 and 1, not {self.quality_within}"
            )


def _names() -> str:
    return ", ".join(GOALS)
