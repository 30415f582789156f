"""What another policy would have earned on a gateway's journal, from decisions that it makes again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from catalog import ModelProfile, Pool, PoolEntry
from predictors import Query
from predictors.quality.protocol import QualityEstimate
from router import PRESETS, Constraints, NoEligibleModelError, Policy, Router, RoutingOptions

from .errors import InvalidReplayError, MissingFactsError
from .forecasts import BatchForecasts
from .intervals import GroupBootstrap, Interval
from .logged_decisions import LoggedDecision
from .off_policy import LoggedChoices, OffPolicyEstimate, doubly_robust_terms, evaluate_off_policy

__all__ = ["PolicyValue", "bare_profile", "check_told", "choice_again", "router_again", "value_policy"]

_GOALS = frozenset({"quality", "cost", "latency"})  # that a journal tells of every candidate
_DEMANDS = frozenset({"max_cost_usd", "max_latency_s", "min_quality", "confidence", "providers", "exclude_providers"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyValue:
    """A policy on the rewarded decisions of a journal; intervals of 95 %, by a bootstrap over prompts."""

    estimate: OffPolicyEstimate
    logged: float  # mean reward of what was answered
    doubly_robust: Interval
    gain: Interval  # of the doubly robust value minus what was logged, on the same draws
    cost_usd: float  # as forecast then, of what the policy chooses; NaN where unknown
    logged_cost_usd: float  # as forecast then, of what was chosen


def value_policy(
    log: Sequence[LoggedDecision],
    options: RoutingOptions,
    *,
    policies: Mapping[str, Policy] | None = None,
    seed: int = 0,
) -> PolicyValue:
    """Mean reward that a policy would have earned on the journalled requests, had it never explored.

    Every rewarded decision is made again by the router from the forecasts that were journalled; those forecasts,
    made before the reward was known, are the reward model of the direct and doubly robust estimates. No weight is
    clipped: whatever was explored weighs the number near the best over the rate of exploration, a hundred and more at
    two in a hundred, so that to clip what is rare would be to believe the forecasts instead.

    Args:
        log: the journal.
        options: the policy to be valued.
        policies: what `options` may name beside the presets.
        seed: of the bootstrap.

    Raises:
        InvalidReplayError: no decision has a reward, or nobody was eligible in any.
        MissingFactsError: the policy goes by facts that the journal does not keep.
        NoOverlapError: the policy would make none of the logged choices.
    """
    check_told(options.policy, policies)
    made = [
        (d, choice)
        for d in log
        if d.reward is not None and (choice := choice_again(d, router_again(d, policies), options)) is not None
    ]
    if not made:
        raise InvalidReplayError("no decision of the journal has both feedback and an eligible candidate")
    choices = LoggedChoices(
        reward=np.array([d.reward for d, _ in made], dtype=np.float64),
        logged=np.array([d.propensity for d, _ in made]),
        target=np.array([float(choice == d.chosen) for d, choice in made]),
        modelled=np.array([d.quality[d.chosen] for d, _ in made]),
        modelled_value=np.array([d.quality[choice] for d, choice in made]),
    )
    estimate, terms = evaluate_off_policy(choices), doubly_robust_terms(choices)
    bootstrap = GroupBootstrap(np.array([d.prompt for d, _ in made], dtype=np.str_), seed=seed)
    return PolicyValue(
        estimate=estimate,
        logged=float(choices.reward.mean()),
        doubly_robust=bootstrap.of_difference(terms, np.zeros_like(terms)),
        gain=bootstrap.of_difference(terms, choices.reward),
        cost_usd=float(np.mean([d.cost_usd[choice] for d, choice in made])),
        logged_cost_usd=float(np.mean([d.cost_usd[d.chosen] for d, _ in made])),
    )


def check_told(name: str, policies: Mapping[str, Policy] | None = None) -> None:
    """Refuse a policy that a journal cannot decide by: what is unknown of all would count for nothing, in silence.

    Raises:
        MissingFactsError: the policy goes by facts that a journal does not keep.
    """
    policy = (policies or {}).get(name) or PRESETS.get(name)
    if policy is None:
        return  # the router says so
    nothing = Constraints()
    goals = [goal for goal, weight in policy.weights.items() if weight > 0 and goal not in _GOALS]
    demands = [
        field.name
        for field in fields(Constraints)
        if field.name not in _DEMANDS and getattr(policy.require, field.name) != getattr(nothing, field.name)
    ]
    if goals or demands:
        raise MissingFactsError(name, facts=(*goals, *demands))


def router_again(
    decision: LoggedDecision,
    policies: Mapping[str, Policy] | None = None,
    *,
    quality: QualityEstimate | None = None,
) -> Router:
    """What makes a journalled decision once more: its candidates as they were forecast.

    `quality` (one row) replaces the expected scores that were journalled.
    """
    pool = Pool(PoolEntry(profile=bare_profile(name)) for name in decision.candidates)
    known = np.ones(1, dtype=np.float64)
    journalled = QualityEstimate(mean=decision.quality[None], se=decision.quality_se[None], familiarity=known)
    source = BatchForecasts(
        pool=pool,
        version="journal",
        prompts=[decision.prompt],
        quality=quality or journalled,
        cost_usd=decision.cost_usd[None],
        cost_usd_sd=np.full(len(pool), np.nan),
        latency_s=decision.expected_latency_s[None],
    )
    return Router(source, policies=policies, explore=0.0)


def choice_again(decision: LoggedDecision, router: Router, options: RoutingOptions) -> int | None:
    """The candidate that this router chooses, by its position; None where it may choose nobody."""
    query = Query(text=decision.prompt, input_tokens=decision.input_tokens)
    rng = np.random.default_rng(0)  # never drawn from: nothing explores
    try:
        return router.decide(query, options, rng=rng, available=decision.eligible).ranking[0]
    except NoEligibleModelError:
        return None


def bare_profile(name: str) -> ModelProfile:
    """A profile of which nothing is known but the name."""
    return ModelProfile(id=name if "/" in name else f"journal/{name}", name=name)
