"""Which leads grow and which vanish where a prompt is easy, or hard, for everybody."""

from typing import Self

import numpy as np

from catalog import Floats
from predictors.errors import NotFittedError
from predictors.quality.protocol import Matrix

__all__ = ["EaseEffects"]

_MIN_SD = 1e-9


class EaseEffects:
    """What is to be added to predicted contrasts, given how easy a prompt is expected to be.

    Where all models are right none leads. Contrasts that are predicted apart from the level cannot know this; a ridge
    regression of what they leave over, on powers of the level and on the contrasts times these, does. It speaks of the
    few directions in which models differ most: one coefficient for every model would be noise.
    """

    def __init__(self, *, penalty: float = 0.3, n_directions: int = 4) -> None:
        self.penalty = penalty  # per prompt, of columns with a spread of about 1
        self.n_directions = n_directions

    def fit(self, level: Floats, contrasts: Matrix, *, observed: Matrix, slope: float) -> Self:
        """Learn from predictions for held-out prompts.

        Args:
            level: (n_prompts,) how easy each prompt is expected to be for all models, on any scale of scores.
            contrasts: (n_prompts, n_models) expected departures from it.
            observed: (n_prompts, n_models) the departures of what was seen.
            slope: of the observed on the expected ones.
        """
        varied = observed - observed.mean(axis=0)
        kept = min(self.n_directions, observed.shape[1] - 1)
        self.directions_: Matrix = np.linalg.eigh(varied.T @ varied)[1][:, ::-1][:, :kept]  # (n_models, k)
        self.level_mean_ = float(level.mean())
        self.level_sd_ = max(float(level.std()), _MIN_SD)
        self.scale_: Floats = np.maximum((contrasts @ self.directions_).std(axis=0), _MIN_SD)  # (k,)
        rows = self._columns(level, contrasts)  # (n_prompts, n_columns)
        left_over = (observed - slope * contrasts) @ self.directions_  # (n_prompts, k)
        centre, usual = rows.mean(axis=0), left_over.mean(axis=0)
        centred = rows - centre
        gram = centred.T @ centred + self.penalty * len(rows) * np.eye(rows.shape[1])
        self.weights_: Matrix = np.asarray(np.linalg.solve(gram, centred.T @ (left_over - usual)), dtype=np.float64)
        self.constant_: Floats = usual - centre @ self.weights_  # (k,)
        return self

    def predict(self, level: Floats, contrasts: Matrix) -> Matrix:
        """What to add to the contrasts of each query, (n_queries, n_models)."""
        if not hasattr(self, "weights_"):
            raise NotFittedError(self)
        added: Matrix = (self._columns(level, contrasts) @ self.weights_ + self.constant_) @ self.directions_.T
        return added

    def _columns(self, level: Floats, contrasts: Matrix) -> Matrix:
        ease = ((level - self.level_mean_) / self.level_sd_)[:, None]  # (n, 1)
        along = contrasts @ self.directions_ / self.scale_  # (n, k)
        return np.concatenate([ease, ease**2, ease**3, along, along * ease, along * ease**2], axis=1)
