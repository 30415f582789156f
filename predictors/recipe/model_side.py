"""What the models' profiles say, as a fit takes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from catalog import Floats, ModelProfile
from predictors.quality.placement.cold_start import DATE, AbilityPrior, facts_of, profile_features
from predictors.quality.protocol import Matrix

__all__ = ["ModelSide", "releases_of"]

_NEWEST: Final = 0.95  # of the dated models are older


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSide:
    """Of all models of a fit, in its order."""

    standard: Matrix  # (n_models, n_profile) profile features, centred and scaled
    centre: Floats  # (n_profile,)
    scale: Floats  # (n_profile,)
    owner: tuple[str, ...]  # (n_models,)
    years: Floats  # (n_models,) of release, since 2023, NaN where unknown

    @classmethod
    def of(cls, profiles: Sequence[ModelProfile], prior: AbilityPrior) -> "ModelSide":
        """Standardised over these profiles."""
        values = profile_features(profiles, prior).values
        scale = values.std(axis=0)
        scale = np.where(scale > 1e-6, scale, 1.0)
        centre = values.mean(axis=0)
        return cls(
            standard=(values - centre) / scale,
            centre=centre,
            scale=scale,
            owner=tuple(profile.owner for profile in profiles),
            years=np.array([facts_of(profile)[DATE] for profile in profiles]),
        )

    @property
    def rows(self) -> Matrix:
        """A one before each standardised profile, (n_models, 1 + n_profile)."""
        return np.concatenate([np.ones((len(self.standard), 1)), self.standard], axis=1)

    @property
    def newest_year(self) -> float:
        """When all but the last few were out, infinite if nobody says: undated names may bear a later date."""
        dated = self.years[np.isfinite(self.years)]
        return float(np.quantile(dated, _NEWEST)) if len(dated) else float("inf")


def releases_of(profiles: Sequence[ModelProfile]) -> dict[str, str]:
    """Undated model names, each with the newest of its dated releases among these: the best known stand-in for it."""
    newest: dict[str, ModelProfile] = {}
    for profile in profiles:
        if profile.snapshot_of is not None:
            known = newest.get(profile.snapshot_of)
            if known is None or (profile.released or date.min) > (known.released or date.min):
                newest[profile.snapshot_of] = profile
    return {name: newest[name].id for name in sorted(newest)}
