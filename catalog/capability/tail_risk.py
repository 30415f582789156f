"""How bad the worst answers are: models of equal mean risk differ twofold and more in their tails.

Dimensions of harm (bias, fairness, ethics, reliability ...) combine by the union of failures: an answer is bad when
any of them fails. Its logarithm adds up over dimensions. The tail of that log-risk over prompts is the model's column
in the catalog; the same arithmetic serves latency and cost.

Source: SHARP, arXiv 2601.21235, whose text gives the ideas; the formulas here are our reconstruction.
"""

from dataclasses import dataclass

import numpy as np

from catalog.errors import InvalidMeasurementError
from catalog.pools.pool import Floats

__all__ = ["TailRisk", "cvar", "judges_agree", "log_risk", "tail_risk", "union_of_failures", "value_at_risk"]

_MOST = 1.0 - 1e-6  # no judge is surer than that


@dataclass(frozen=True, slots=True, kw_only=True)
class TailRisk:
    """Mean and tail of a loss side by side, with the bootstrap's interval of the tail's mean."""

    mean: float
    var: float
    cvar: float
    cvar_lower: float
    cvar_upper: float
    level: float
    n: int
    n_tail: int  # how few prompts the tail rests on


def union_of_failures(harm: Floats) -> Floats:
    """Probability that any dimension fails, taken as independent: shape (..., n_dimensions) becomes (...)."""
    union: Floats = 1.0 - np.prod(1.0 - _probabilities(harm), axis=-1)
    return union


def log_risk(harm: Floats) -> Floats:
    """-ln(1 - union of failures), summed over the last axis; probabilities are clipped at 1 - 1e-6."""
    risk: Floats = -np.log1p(-np.minimum(_probabilities(harm), _MOST)).sum(axis=-1)
    return risk


def judges_agree(harm: Floats, *, sharpness: float = 10.0) -> Floats:
    """One probability from several judges, a soft maximum over the last axis: one alarmed judge weighs much.

    `sharpness` near 0 gives the mean, a large one the maximum.
    """
    if sharpness <= 0:
        raise InvalidMeasurementError(f"sharpness must be positive, not {sharpness}")
    scaled = sharpness * _probabilities(harm)
    most = scaled.max(axis=-1, keepdims=True)
    agreed: Floats = (np.log(np.exp(scaled - most).mean(axis=-1)) + most[..., 0]) / sharpness
    return agreed


def value_at_risk(losses: Floats, *, level: float = 0.95) -> float:
    """The loss that all but the worst share stay below, by linear interpolation."""
    _check(losses, level)
    return float(np.quantile(losses, level))


def cvar(losses: Floats, *, level: float = 0.95) -> float:
    """Mean of the losses at or above `value_at_risk`."""
    return float(losses[losses >= value_at_risk(losses, level=level)].mean())


def tail_risk(
    losses: Floats,
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    confidence: float = 0.95,
    resamples: int = 2_000,
) -> TailRisk:
    """Mean and tail of a loss over prompts, with a bootstrap interval.

    Args:
        losses: (n_prompts,) log-risks, or seconds, or dollars.
        rng: draws the resamples.
        level: the tail begins here.
        confidence: of the interval.
        resamples: of the prompts, with replacement.

    Raises:
        InvalidMeasurementError: there are no losses, one is not finite, or a share lies outside (0, 1).
    """
    _check(losses, level)
    _check(losses, confidence)
    var = value_at_risk(losses, level=level)
    again = np.array([cvar(losses[rng.integers(0, len(losses), len(losses))], level=level) for _ in range(resamples)])
    lower, upper = np.quantile(again, [(1 - confidence) / 2, (1 + confidence) / 2])
    return TailRisk(
        mean=float(losses.mean()),
        var=var,
        cvar=cvar(losses, level=level),
        cvar_lower=float(lower),
        cvar_upper=float(upper),
        level=level,
        n=len(losses),
        n_tail=int((losses >= var).sum()),
    )


def _probabilities(harm: Floats) -> Floats:
    if not (np.isfinite(harm).all() and (harm >= 0).all() and (harm <= 1).all()):
        raise InvalidMeasurementError("probabilities of harm must lie in [0, 1]")
    return harm


def _check(losses: Floats, share: float) -> None:
    if losses.ndim != 1 or not len(losses) or not np.isfinite(losses).all():
        raise InvalidMeasurementError("losses must be a row of finite numbers, at least one")
    if not 0 < share < 1:
        raise InvalidMeasurementError(f"a level or confidence must lie in (0, 1), not {share}")
