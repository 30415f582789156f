"""What the caller prefers among the candidates that satisfy the constraints: Tryage's weighted sum.

    chosen = argmin over m of  w_q * loss(x, m) + sum over j of lambda_j * C_j(m, x)

Only the lower-left convex hull of (loss, C) can be reached by turning the lambdas; `Policy.quality_within` and the
hard constraints reach the rest of the front. Source: Hari and Thomson, Tryage, arXiv 2308.11601; its text was not to be
had, so that the sum is reconstructed from its abstract and from what others write of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from catalog import Floats, Pool
from predictors import Forecast, Forecasts
from router.decision import Bools
from router.errors import InvalidRoutingError
from router.wishes.constraints import Constraints
from router.wishes.goals import Goals
from router.wishes.options import RoutingOptions
from router.wishes.policy import Policy
from router.wishes.presets import BALANCED, PRESETS

__all__ = ["Preferences", "Valuation", "Valuer", "resolve", "weighted_loss"]

_NOTHING = Constraints()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """A policy and the caller's own wishes, made one."""

    quality_weight: float
    lambdas: Mapping[str, float]  # positive ones only
    caution: float
    quality_within: float | None
    usd_per_quality: float | None  # what one whole point of quality may cost; replaces the cost goal
    require: Constraints | None  # the policy's own constraints

    @property
    def objectives(self) -> tuple[str, ...]:
        """What the Pareto front is of: quality, cost, then the other goals that weigh.

        Money always counts: among equally good candidates the dearer one is never on the front.
        """
        return ("quality", "cost", *(goal for goal in self.lambdas if goal != "cost"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Valuation:
    """How good each candidate is for each query, in the pool's order; of one query, without that axis."""

    quality: Floats  # (n_queries, n_candidates) the cautious one
    objectives: Floats  # (n_objectives, n_queries, n_candidates), all minimised: loss, cost, then the goals that weigh
    utility: Floats  # (n_queries, n_candidates), higher is better

    def admitted(self, eligible: Bools, *, within: float | None) -> Bools:
        """The eligible whose quality comes within that distance of the best eligible one's, in the shape of both."""
        if within is None:
            return eligible
        best = np.max(self.quality, axis=-1, keepdims=True, where=eligible, initial=-np.inf)
        good_enough: Bools = self.quality >= best - within
        return eligible & good_enough


def resolve(options: RoutingOptions, policies: Mapping[str, Policy]) -> Preferences:
    """The weights in force: the policy's, overridden by the caller's.

    Raises:
        InvalidRoutingError: no policy has that name.
    """
    policy = policies.get(options.policy) or PRESETS.get(options.policy)
    if policy is None:
        known = ", ".join(sorted({*PRESETS, *policies}))
        raise InvalidRoutingError(field="policy", problem=f"there is no policy {options.policy!r}; choose from {known}")
    weights = {**policy.weights, **options.weights} if options.weights else dict(policy.weights)
    within = policy.quality_within
    knob, usd_per_quality = options.cost_quality_tradeoff, options.willingness_to_pay_usd
    if knob is not None:
        weights["quality"], weights["cost"] = _turned(knob)
        within = None  # the knob says how much quality may be given up
    if usd_per_quality is not None:
        weights.pop("cost", None)
        within = None
    quality_weight = weights.pop("quality", 1.0)
    return Preferences(
        quality_weight=quality_weight,
        lambdas=MappingProxyType({goal: weight for goal, weight in weights.items() if weight > 0}),
        caution=policy.caution,
        quality_within=within,
        usd_per_quality=usd_per_quality,
        require=None if policy.require == _NOTHING else policy.require,
    )


def weighted_loss(loss: Floats, costs: Floats, lambdas: Floats) -> Floats:
    """`loss + sum_j lambda_j C_j`; loss (..., n_candidates), costs (n_goals, ..., n_candidates), lambdas (n_goals,)."""
    weighed: Floats = (lambdas @ costs.reshape(len(costs), -1)).reshape(costs.shape[1:])
    return loss + weighed


class Valuer:
    """Values the candidates of one pool."""

    def __init__(self, pool: Pool) -> None:
        self._goals = Goals(pool)

    def value(self, forecast: Forecast | Forecasts, preferences: Preferences) -> Valuation:
        """Loss, costs and utility of every candidate for every query, feasible or not."""
        quality = forecast.quality - preferences.caution * forecast.quality_se
        loss = 1.0 - quality
        lambdas = preferences.lambdas
        _, *goals = preferences.objectives
        objectives = np.empty((1 + len(goals), *loss.shape))  # (n_objectives, n_queries, n_candidates)
        objectives[0] = loss
        for row, goal in enumerate(goals, start=1):
            objectives[row] = self._goals.column(goal, forecast)
        weights = np.array([lambdas.get(goal, 0.0) for goal in goals])
        utility = -weighted_loss(preferences.quality_weight * loss, objectives[1:], weights)
        if preferences.usd_per_quality is not None:
            utility = utility - _known_usd(forecast.cost_usd) / preferences.usd_per_quality
        return Valuation(quality=quality, objectives=objectives, utility=utility)


def _turned(knob: float) -> tuple[float, float]:
    """Weights of quality and cost for a knob from 0 (quality only) to 10 (cost only); 5 is the balanced policy."""
    if knob >= 10.0:
        return 0.0, 1.0
    return 1.0, BALANCED.weights["cost"] * knob / (10.0 - knob)


def _known_usd(cost_usd: Floats) -> Floats:
    return np.where(np.isnan(cost_usd), np.fmax.reduce(cost_usd, axis=-1, keepdims=True, initial=0.0), cost_usd)
