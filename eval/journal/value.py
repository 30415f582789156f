"""What another policy would have earned on a gateway's journal, from decisions that it makes again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from catalog import Backend, ModelProfile, Pool, PoolEntry
from eval.contenders.forecasts import BatchForecasts
from eval.errors import InvalidReplayError, MissingFactsError, NoOverlapError
from eval.intervals import GroupBootstrap
from predictors import Query
from predictors.quality.protocol import QualityEstimate
from router import PRESETS, Constraints, NoEligibleModelError, Policy, Router, RoutingOptions
from router.session import SessionState

from .logged_decisions import LoggedDecision
from .off_policy import LoggedChoices, OffPolicyEstimate, evaluate_off_policy
from .worth import Log, Target, Worth, worth_more_than_log, worth_of

__all__ = [
    "PolicyValue",
    "bare_profile",
    "check_told",
    "choice_again",
    "conversation_of",
    "log_of",
    "router_again",
    "value_policy",
]

_LAST = "last"  # the backend that a conversation was with, whatever its name
_GOALS = frozenset({"quality", "cost", "latency"})  # that a journal tells of every candidate
_DEMANDS = frozenset({"max_cost_usd", "max_latency_s", "min_quality", "confidence", "providers", "exclude_providers"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyValue:
    """A policy on the rewarded decisions of a journal in which its choice could have been made."""

    estimate: OffPolicyEstimate
    logged: float  # mean reward of what was answered
    worth: Worth
    gain: Worth  # over what was logged
    without_support: float  # share of rewarded decisions in which the log could not have made its choice; left out
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
    made before the reward was known, are the reward model. No weight is clipped: whatever was explored weighs the
    number near the best over the rate of exploration, a hundred and more at two in a hundred, so that to clip what is
    rare would be to believe the forecasts instead.

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
    kept = [(d, choice) for d, choice in made if d.propensities[choice] != 0]
    target, logged = _target(kept), log_of([d for d, _ in kept])
    if not target.told.any():
        raise NoOverlapError("the policy would make no logged choice; log with more exploration")
    bootstrap = GroupBootstrap(logged.prompt, seed=seed)
    return PolicyValue(
        estimate=_estimate(target, logged),
        logged=float(logged.reward.mean()),
        worth=worth_of(target, logged, bootstrap),
        gain=worth_more_than_log(target, logged, bootstrap),
        without_support=1 - len(kept) / len(made),
        cost_usd=float(np.mean([d.cost_usd[choice] for d, choice in kept])),
        logged_cost_usd=float(np.mean([d.cost_usd[d.chosen] for d, _ in kept])),
    )


def log_of(decisions: Sequence[LoggedDecision]) -> Log:
    """What these decisions, each rewarded, earned."""
    return Log(
        reward=np.array([d.reward for d in decisions], dtype=np.float64),
        prompt=np.array([d.prompt for d in decisions], dtype=np.str_),
    )


def _target(made: Sequence[tuple[LoggedDecision, int]]) -> Target:
    """Choices among logged candidates, by the forecasts of then."""
    return Target(
        modelled=np.array([d.quality[choice] for d, choice in made]),
        propensity=np.array([d.propensities[choice] for d, choice in made]),
        told=np.array([choice == d.chosen for d, choice in made], dtype=np.bool_),
        refused=np.zeros(len(made), dtype=np.bool_),
    )


def _estimate(target: Target, log: Log) -> OffPolicyEstimate:
    """By the estimators of the textbooks: what the reward model says of other logged choices weighs nothing there."""
    choices = LoggedChoices(
        reward=log.reward,
        logged=np.where(target.told, target.propensity, 1.0),
        target=target.told.astype(np.float64),
        modelled=target.modelled,
        modelled_value=target.modelled,
    )
    return evaluate_off_policy(choices)


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
    last = decision.last_answered
    profiles = [bare_profile(name) for name in decision.candidates]
    pool = Pool(
        PoolEntry(profile=profile, backend=_last_backend(profile) if position == last else None)
        for position, profile in enumerate(profiles)
    )
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
        return router.decide(
            query, options, rng=rng, session=conversation_of(decision), available=decision.eligible
        ).ranking[0]
    except NoEligibleModelError:
        return None


def conversation_of(decision: LoggedDecision) -> SessionState | None:
    """What held the conversation with its model then and would again; its cached prompt is in the costs already."""
    return None if decision.last_answered is None else SessionState(backend_id=_LAST)


def _last_backend(profile: ModelProfile) -> Backend:
    return Backend(id=_LAST, profile_id=profile.id, kind="fake", provider=profile.owner, model_name=profile.name)


def bare_profile(name: str) -> ModelProfile:
    """A profile of which nothing is known but the name."""
    return ModelProfile(id=name if "/" in name else f"journal/{name}", name=name)
