"""Do predicted scores mean what they say? Measured by bins, mended by two parameters."""

from dataclasses import dataclass

import numpy as np

from catalog import Floats

__all__ = ["PlattScaling", "dispersion", "error_scale", "excess_logit_sd", "expected_calibration_error"]

_NEWTON_STEPS = 25
_Z90 = 1.6448536269514722  # standard errors that hold nine in ten
_PRIOR = 10.0  # outcomes' worth of trust in "already calibrated"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlattScaling:
    """logit -> slope * logit + shift. Two parameters cannot overfit, and leave the ranking of models as it is.

    Source: Platt, Probabilistic Outputs for Support Vector Machines, 1999; fitted to held-out logits.
    """

    slope: float = 1.0
    shift: float = 0.0

    @classmethod
    def fit(cls, logit: Floats, score: Floats) -> "PlattScaling":
        """Maximum a posteriori by Newton's method; `logit` and `score` have shape (n_outcomes,)."""
        slope, shift = 1.0, 0.0
        rows = np.stack([logit, np.ones_like(logit)], axis=1)  # (n_outcomes, 2)
        for _ in range(_NEWTON_STEPS):
            expected = 1.0 / (1.0 + np.exp(-np.clip(slope * logit + shift, -40.0, 40.0)))
            gradient = rows.T @ (expected - score) + _PRIOR * np.array([slope - 1.0, shift])
            curvature = (rows * (expected * (1.0 - expected))[:, None]).T @ rows + _PRIOR * np.eye(2)
            step = np.linalg.solve(curvature, gradient)
            slope, shift = slope - float(step[0]), shift - float(step[1])
        return cls(slope=max(slope, 1e-3), shift=shift)


def expected_calibration_error(expected: Floats, score: Floats, *, n_bins: int = 15) -> float:
    """Mean distance between expected and observed score over equally wide bins, weighted by their counts.

    Both arrays have shape (n_outcomes,) and lie in [0, 1].

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    where = np.minimum((expected * n_bins).astype(np.int64), n_bins - 1)
    difference = np.bincount(where, weights=expected - score, minlength=n_bins)
    return float(np.abs(difference).sum() / len(expected))


def excess_logit_sd(expected: Floats, score: Floats, *, per_bin: int = 200) -> float:
    """How far expected scores are off, on the logit scale, beyond what chance in the outcomes explains.

    Outcomes (n_outcomes,) are sorted by expectation and cut into bins; a bin's squared error minus its sampling
    variance, over the squared slope of the sigmoid there, estimates the squared logit error.
    """
    order = np.argsort(expected, kind="stable")
    bins = np.array_split(order, max(1, len(order) // per_bin))
    excess, weight = 0.0, 0.0
    for members in bins:
        p = float(np.clip(expected[members].mean(), 0.01, 0.99))
        slope = p * (1.0 - p)
        error = float(score[members].mean() - expected[members].mean()) ** 2 - slope / len(members)
        excess += error
        weight += slope**2
    return float(np.sqrt(max(excess, 0.0) / weight)) if weight else 0.0


def dispersion(expected: Floats, score: Floats) -> float:
    """Share of the chance in right-or-wrong answers that scores have: 1 for such answers, less for graded ones.

    A score that is a confidence or an overlap of words varies less around its expectation p than p (1 - p), and an
    interval that allows for all of that is too wide.

    Args:
        expected: (n_outcomes,) expected scores in [0, 1].
        score: (n_outcomes,) scores in [0, 1].

    Source: Pearson's estimate in a quasi-likelihood; Wedderburn, Biometrika 1974. Never above 1.
    """
    at_most = float((expected * (1.0 - expected)).sum())
    return min(float(((score - expected) ** 2).sum()) / max(at_most, 1e-12), 1.0)


def error_scale(expected: Floats, error: Floats, score: Floats, *, besides: Floats, per_group: int = 50) -> float:
    """What to multiply errors by so that nine in ten means over groups of prompts lie within 1.64 of them; else 1.

    A model's prompts are sorted by expectation and cut into groups, since one answer is right or wrong and only a mean
    can lie in an interval. What chance and `besides` explain of a group's distance is taken off; the 0.9 quantile of
    what is left, in errors, is the factor: 0 where chance is enough. Fit it to predictions for held-out groups.

    Args:
        expected: (n_prompts, n_models) expected scores in [0, 1].
        error: (n_prompts,) standard errors up to a factor, alike for all models.
        score: (n_prompts, n_models) scores in [0, 1], NaN where untried.
        besides: (n_prompts,) standard errors that are not scaled, independent of the others.
        per_group: prompts in a group; a model with fewer outcomes tells nothing.

    Source: split conformal prediction with normalised residuals; Lei et al., JASA 2018.
    """
    needed: list[float] = []  # squared factors
    for said, seen in zip(expected.T, score.T, strict=True):
        tried = np.flatnonzero(np.isfinite(seen))
        tried = tried[np.argsort(said[tried], kind="stable")]
        share = dispersion(said[tried], seen[tried])
        for group in np.array_split(tried, len(tried) // per_group) if len(tried) >= per_group else ():
            chance = share * float((said[group] * (1.0 - said[group])).mean()) / len(group)
            distance = float(seen[group].mean() - said[group].mean()) / _Z90
            left = distance**2 - chance - float(besides[group].mean()) ** 2
            needed.append(left / max(float(error[group].mean()) ** 2, 1e-12))
    return float(np.sqrt(max(np.quantile(needed, 0.9), 0.0))) if needed else 1.0
