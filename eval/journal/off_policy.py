"""What another policy would have scored, estimated from the log of this one.

All estimators need exploration with logged propensities: a gateway that never explores cannot be evaluated so.
"""

from dataclasses import dataclass

import numpy as np

from catalog import Floats
from eval.errors import NoOverlapError, UndefinedMetricError

__all__ = ["LoggedChoices", "OffPolicyEstimate", "doubly_robust_terms", "evaluate_off_policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedChoices:
    """A log of choices beside the policy to be valued. Every array has shape (n,).

    `modelled` and `modelled_value` come from a reward model fitted on other rows than these; without one they are
    None, and only the estimators that need none can be had.
    """

    reward: Floats  # of the logged choice, in [0, 1]
    logged: Floats  # probability with which the logging policy made it, in (0, 1]
    target: Floats  # probability with which the target policy would make it, in [0, 1]
    modelled: Floats | None = None  # the reward model's value of the logged choice
    modelled_value: Floats | None = None  # its value of the target policy: sum over models of target x modelled

    def __post_init__(self) -> None:
        if not len(self.reward) == len(self.logged) == len(self.target) > 0:
            raise UndefinedMetricError("reward, logged and target must be of one length, and not empty")
        if np.any(self.logged <= 0) or np.any(self.logged > 1):
            raise UndefinedMetricError("a logged propensity lies outside (0, 1]; only logged choices can be evaluated")
        if (self.modelled is None) != (self.modelled_value is None):
            raise UndefinedMetricError("a reward model must value both the logged choice and the target policy")


@dataclass(frozen=True, slots=True, kw_only=True)
class OffPolicyEstimate:
    """Values of the target policy by several estimators; None where there was no reward model."""

    ips: float  # unbiased, of high variance
    snips: float  # biased by O(1/n), never outside the observed rewards
    direct: float | None  # DM: as good as the reward model
    doubly_robust: float | None  # DR: unbiased if either propensities or reward model are right
    self_normalised_doubly_robust: float | None  # SNDR
    effective_sample_size: float  # of n; trust nothing but DM where it is tiny
    n: int
    clipped_at: float | None  # the largest weight allowed, None where none was clipped
    n_clipped: int


def evaluate_off_policy(choices: LoggedChoices, *, clip: float | None = None) -> OffPolicyEstimate:
    """Estimate the mean reward of the target policy.

    Args:
        choices: the log and the target policy's probabilities of the same choices.
        clip: the largest importance weight allowed; clipping trades variance for bias and is reported.

    Raises:
        NoOverlapError: the target policy would make none of the logged choices.

    Source: Swaminathan and Joachims, NeurIPS 2015 (SNIPS); Dudik et al., ICML 2011 (DR).
    """
    raw = choices.target / choices.logged  # (n,)
    if not raw.any():
        raise NoOverlapError("the target policy would make no logged choice; log with more exploration")
    weight = _weights(choices, clip)  # (n,)
    direct = dr = sndr = None
    if choices.modelled is not None and choices.modelled_value is not None:
        correction = weight * (choices.reward - choices.modelled)  # (n,)
        direct = float(choices.modelled_value.mean())
        dr = float(doubly_robust_terms(choices, clip=clip).mean())
        sndr = direct + float(correction.sum() / weight.sum())
    n_clipped = 0 if clip is None else int((raw > clip).sum())
    return OffPolicyEstimate(
        ips=float((weight * choices.reward).mean()),
        snips=float(weight @ choices.reward / weight.sum()),
        direct=direct,
        doubly_robust=dr,
        self_normalised_doubly_robust=sndr,
        effective_sample_size=float(weight.sum() ** 2 / (weight**2).sum()),
        n=len(raw),
        clipped_at=clip if n_clipped else None,
        n_clipped=n_clipped,
    )


def doubly_robust_terms(choices: LoggedChoices, *, clip: float | None = None) -> Floats:
    """What each logged choice adds to the doubly robust value, (n,): their mean is that value.

    Raises:
        UndefinedMetricError: there is no reward model.
    """
    if choices.modelled is None or choices.modelled_value is None:
        raise UndefinedMetricError("the doubly robust value needs a reward model")
    terms: Floats = choices.modelled_value + _weights(choices, clip) * (choices.reward - choices.modelled)
    return terms


def _weights(choices: LoggedChoices, clip: float | None) -> Floats:
    raw: Floats = choices.target / choices.logged
    return raw if clip is None else np.minimum(raw, clip)
