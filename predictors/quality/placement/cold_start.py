"""What a profile says of a model that nobody has tried yet: the numbers its place is predicted from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self

import numpy as np

from catalog import Ability, Floats, ModelProfile
from predictors.errors import NotFittedError
from predictors.quality.protocol import Matrix

__all__ = [
    "AXES",
    "DATE",
    "FACTS",
    "AbilityPrior",
    "ProfileFeatures",
    "facts_of",
    "map_from_profiles",
    "profile_features",
]

# Abilities besides the general one; each enters as its difference from that. Code and knowledge made the place of a
# model that was never tried worse, the date made it better (docs/quality-studies.md).
AXES = ("maths",)
FACTS = (
    "log_active_params",
    "log_total_params",
    "years_since_2023",
    "log_price",
    "reasoning",
    "open_weights",
    "small",
    "no_params",
    "no_date",
    "no_price",
    "small_price",
)
_DAYS_PER_YEAR = 365.25
_EPOCH = date(2023, 1, 1)
_MOST_YEARS = 2.0  # on either side of 2023. Outcomes end with models of 2024: a later date is not extrapolated
_SMALL_B, _SMALL_USD_PER_MTOK = 4.0, 0.5  # below these a model, or a price, counts as small
DATE = FACTS.index("years_since_2023")  # where the date stands among the facts
# Penalties of the ridge regression on profiles. Tables differ in the age and kind of their models, and traits tell them
# apart: all but what ability says of strength is worth little on other kinds of prompt (docs/quality-studies.md).
_PENALTY = 30.0
_PENALTY_OF_ABILITY = 1.0  # where it predicts strength
_PENALTY_OF_AXES = 1e6  # where they would predict traits: so large that they do not
_AXIS_VARIANCE = 0.25  # between models, of an axis' difference from general ability; squared logits
_LEAST_VARIANCE = 0.04  # of a guess from facts: no guess is surer than 0.2 logits
_LEAST_SCALE = 1e-3  # of a fact that hardly varies
_FARTHEST = 4.0  # standard deviations from the mean at which a fact is cut off


class AbilityPrior:
    """General ability as a ridge regression on a profile's facts, fitted over every model whose ability is measured.

    Facts that are missing are set to the mean of the others and marked by an indicator. The residual spread is the
    honest error of a guess from facts alone; a measured ability is combined with the guess by their precisions.
    """

    def __init__(self, *, penalty: float = 3.0) -> None:
        self.penalty = penalty

    def fit(self, profiles: Sequence[ModelProfile]) -> Self:
        """Learn from the profiles whose ability was measured; the others, those told by siblings too, are ignored."""
        measured = [p for p in profiles if p.has_measured_ability]
        facts = np.array([facts_of(p) for p in measured]).reshape(len(measured), len(FACTS))
        ability = np.array([p.ability["general"].mean for p in measured])  # (n_measured,)
        se = np.array([p.ability["general"].se for p in measured])  # (n_measured,)
        present = np.isfinite(facts)
        counts = np.maximum(present.sum(axis=0), 1)
        self.fact_mean_: Floats = np.where(present, facts, 0.0).sum(axis=0) / counts  # (n_facts,)
        filled = np.where(present, facts, self.fact_mean_) - self.fact_mean_
        self.fact_scale_: Floats = np.maximum(filled.std(axis=0), _LEAST_SCALE) if len(filled) else np.ones(len(FACTS))
        rows = filled / self.fact_scale_  # (n_measured, n_facts)
        self.level_ = float(ability.mean()) if len(ability) else 0.0
        gram = rows.T @ rows + self.penalty * np.eye(len(FACTS))
        self.weights_: Floats = np.linalg.solve(gram, rows.T @ (ability - self.level_))  # (n_facts,)
        residual = ability - self.level_ - rows @ self.weights_
        noise = float(np.mean(se**2)) if len(se) else 0.0
        spread = float(np.mean(residual**2)) if len(residual) else 1.0
        self.sd_ = math.sqrt(max(spread - noise, _LEAST_VARIANCE))
        return self

    def restore(self, *, fact_mean: Floats, fact_scale: Floats, weights: Floats, level: float, sd: float) -> Self:
        """Take back what `fit` learned, as saved."""
        self.fact_mean_, self.fact_scale_, self.weights_ = fact_mean, fact_scale, weights
        self.level_, self.sd_ = level, sd
        return self

    def estimate(self, profile: ModelProfile) -> Ability:
        """The general ability of a model, measured or not, with its standard error."""
        if not hasattr(self, "weights_"):
            raise NotFittedError(self)
        facts = facts_of(profile)
        filled = np.where(np.isfinite(facts), facts, self.fact_mean_) - self.fact_mean_
        guess = self.level_ + float(np.clip(filled / self.fact_scale_, -_FARTHEST, _FARTHEST) @ self.weights_)
        measured = profile.ability.get("general")
        if measured is None:
            return Ability(mean=guess, se=self.sd_)
        trust = self.sd_**2 / (self.sd_**2 + measured.se**2)
        mean = guess + trust * (measured.mean - guess)
        return Ability(mean=mean, se=math.sqrt(trust) * measured.se, n_benchmarks=measured.n_benchmarks)


def facts_of(profile: ModelProfile) -> Floats:
    """The facts of a profile in the order of `FACTS`, shape (len(FACTS),).

    NaN where unknown; the indicators of what is missing are never NaN.
    """
    total, active = profile.params_total_b, profile.params_active_b or profile.params_total_b
    price = float(profile.price.output_usd_per_mtok) if profile.price else None
    if price is not None and price <= 0:
        price = None  # free, or served at home: says nothing of the model's size
    years = (profile.released - _EPOCH).days / _DAYS_PER_YEAR if profile.released else None
    return np.array(
        [
            math.log(active) if active else math.nan,
            math.log(total) if total else math.nan,
            math.nan if years is None else years,
            math.log(price) if price else math.nan,
            float("reasoning" in profile.capabilities),
            math.nan if profile.open_weights is None else float(profile.open_weights),
            float(bool(total) and total is not None and total < _SMALL_B),
            float(total is None),
            float(years is None),
            float(price is None),
            float(price is not None and price < _SMALL_USD_PER_MTOK),
        ]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFeatures:
    """What a factorization knows of models before their outcomes."""

    values: Matrix  # (n_models, 2 + len(AXES)): general ability, each axis' difference from it, years since 2023
    general_se: Floats  # (n_models,)


def profile_features(profiles: Sequence[ModelProfile], prior: AbilityPrior) -> ProfileFeatures:
    """One row per model: its general ability, measured or guessed, its differences on the axes, and its date.

    A difference is shrunk by its error, and 0 where the axis was not measured. An unknown date counts as the mean of
    the known ones; dates after 2024 count as its end.
    """
    rows = np.zeros((len(profiles), 2 + len(AXES)))
    se = np.zeros(len(profiles))
    for i, profile in enumerate(profiles):
        general = prior.estimate(profile)
        rows[i, 0], se[i] = general.mean, general.se
        years = facts_of(profile)[DATE]
        rows[i, -1] = np.clip(years if np.isfinite(years) else prior.fact_mean_[DATE], -_MOST_YEARS, _MOST_YEARS)
        for j, axis in enumerate(AXES, start=1):
            measured = profile.ability.get(axis)
            if measured is not None and "general" in profile.ability:
                trust = _AXIS_VARIANCE / (_AXIS_VARIANCE + measured.se**2)
                rows[i, j] = trust * (measured.mean - profile.ability["general"].mean)
    return ProfileFeatures(values=rows, general_se=se)


def map_from_profiles(rows: Matrix, vectors: Matrix) -> Matrix:
    """Ridge regression of strengths and traits on profiles, (1 + n_profile, 1 + n_traits).

    Args:
        rows: (n_models, 1 + n_profile), a one and the standardised `profile_features`.
        vectors: (n_models, 1 + n_traits) strength and traits as outcomes say.
    """
    of_traits = np.full(rows.shape[1], _PENALTY)
    of_strength = of_traits.copy()
    of_strength[1:2] = _PENALTY_OF_ABILITY
    of_traits[2 : 2 + len(AXES)] = _PENALTY_OF_AXES
    of_strength[0] = of_traits[0] = 0.0  # the overall level is free
    gram, said = rows.T @ rows, rows.T @ vectors
    strength = np.linalg.solve(gram + np.diag(of_strength), said[:, :1])
    traits = np.linalg.solve(gram + np.diag(of_traits), said[:, 1:])
    return np.concatenate([strength, traits], axis=1)
