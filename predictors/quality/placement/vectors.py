"""Strength and traits of any model: as its profile says, and moved by its outcomes where it has some."""

from collections.abc import Mapping, Sequence

import numpy as np

from catalog import Floats, ModelProfile
from predictors.quality.protocol import Matrix

from .cold_start import DATE, AbilityPrior, facts_of, profile_features
from .placing import Placing

__all__ = ["ModelVectors"]

_MOST_YEARS_AHEAD = 1.0  # about as far as learning looked ahead; what lies beyond is as unsure as that


class ModelVectors:
    """What is known of models on the logit scale.

    Every result is of some profiles: (strength, traits) of each, (n_profiles, k), and the standard error of its
    strength, (n_profiles,).
    """

    def __init__(
        self,
        models: Sequence[str],
        *,
        releases: Mapping[str, str],
        arrays: Mapping[str, Matrix],
        scalars: Mapping[str, float],
        prior: AbilityPrior,
        placing: Placing,
    ) -> None:
        """See `folded.ARRAYS` and `folded.SCALARS`.

        Args:
            models: names of those with outcomes, in the order of the fit.
            releases: undated names, each with its newest release among these.
            arrays: of the fit.
            scalars: of the fit.
            prior: general ability from facts.
            placing: how wrong places told by profiles may be.
        """
        self._models, self._releases, self._arrays, self._scalars = models, releases, arrays, scalars
        self._prior, self._placing = prior, placing
        self._row = {model: i for i, model in enumerate(models)}

    def row(self, profile: ModelProfile) -> int | None:
        """Where a model stands in the fit, by any of its names; None for one without outcomes."""
        release = self._releases.get(profile.snapshot_of or profile.id)
        for name in (profile.id, *profile.aliases, profile.snapshot_of, release):
            if name is not None and name in self._row:
                return self._row[name]
        return None

    def by_profile(self, profiles: Sequence[ModelProfile]) -> tuple[Matrix, Floats]:
        """As if nobody had tried any of these models."""
        a, s = self._arrays, self._scalars
        known = profile_features(profiles, self._prior)
        standard = (known.values - a["profile_centre"]) / a["profile_scale"]  # (n_models, n_profile)
        rows = np.concatenate([np.ones((len(profiles), 1)), standard], axis=1)  # (n_models, 1 + n_profile)
        per_ability = s["of_strength"] * a["profile_map"][1, 0] / a["profile_scale"][0]  # logits per unit of ability
        return rows @ a["profile_map"], np.hypot(self._place_sd(rows, profiles), per_ability * known.general_se)

    def with_outcomes(
        self, profiles: Sequence[ModelProfile], placed: Matrix, placed_sd: Floats
    ) -> tuple[Matrix, Floats]:
        """What `by_profile` gave, moved by the outcomes of those models that have some."""
        s = self._scalars
        vectors, logit_sd = placed.copy(), placed_sd.copy()
        for i, profile in enumerate(profiles):
            row = self.row(profile)
            if row is not None:
                vectors[i] += self._arrays["deviation"][row]
                # another release of the same name behaves alike, yet not the same
                same = self._models[row] in {profile.id, *profile.aliases}
                logit_sd[i] = s["known_sd"] if same else np.hypot(s["known_sd"], 0.5 * s["unseen_sd"])
        return vectors, logit_sd

    def _place_sd(self, rows: Matrix, profiles: Sequence[ModelProfile]) -> Floats:
        """How far off places told by these profiles are, logits, (n_models,)."""
        leverage = np.einsum("mi,ij,mj->m", rows, self._arrays["profile_inverse"], rows)
        years = np.array([facts_of(profile)[DATE] for profile in profiles]).reshape(len(profiles))
        ahead = np.where(np.isfinite(years), years - self._scalars["newest_year"], 0.0)
        return self._placing.error(np.maximum(leverage, 0.0), np.clip(ahead, 0.0, _MOST_YEARS_AHEAD))
