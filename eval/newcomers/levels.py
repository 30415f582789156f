"""How far off the forecast mean score of a new model is, by a regression on what its profile says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from catalog import Floats, ModelProfile
from predictors.quality.placement.factorization import sigmoid
from predictors.quality.protocol import Matrix

from .benchmark import Benchmark
from .splits import Split, left_out

__all__ = ["LevelError", "forecast_levels", "level_errors", "profile_columns"]

_PENALTY = 1.0
_NOISE = 0.15  # squared logits around the line when the ability is known exactly, added to the ability's own variance
_FLOOR = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelError:
    """Mean absolute error of forecast mean scores over all models that were left out."""

    split: Split
    n_models: int
    by: Mapping[str, float]  # what was known -> error


def profile_columns(benchmark: Benchmark) -> dict[str, Matrix | None]:
    """What a forecast may know of a model, by name; None: nothing but the mean of the others."""
    base = np.array([_is_base(profile) for profile in benchmark.profiles], dtype=np.float64)
    return {
        "mean of the others": None,
        "ability": benchmark.known[:, :1],
        "ability, maths, date": benchmark.known,
        "the same, base or tuned": np.column_stack([benchmark.known, base]),
    }


def level_errors(benchmark: Benchmark, split: Split) -> LevelError | None:
    """Errors of every kind of knowledge on one split; None where the split leaves nobody out."""
    score = benchmark.mean_score
    misses: dict[str, list[float]] = {name: [] for name in profile_columns(benchmark)}
    for known, new in left_out(benchmark.profiles, split):
        for name, columns in profile_columns(benchmark).items():
            forecast = forecast_levels(columns, score, benchmark.general_se, known=known, new=new)
            misses[name] += np.abs(forecast - score[new]).tolist()
    n_models = len(next(iter(misses.values())))
    by = {name: float(np.mean(values)) for name, values in misses.items() if values}
    return LevelError(split=split, n_models=n_models, by=by) if by else None


def forecast_levels(
    columns: Matrix | None, score: Floats, general_se: Floats, *, known: np.ndarray, new: np.ndarray
) -> Floats:
    """Forecast mean scores of the new models, (n_new,), from the known ones.

    A ridge regression of the logit, a model weighing less the vaguer its ability is.
    """
    if columns is None:
        return np.full(int(new.sum()), score[known].mean())
    weight = 1.0 / (_NOISE + general_se[known] ** 2)
    shares = np.clip(score[known], _FLOOR, 1.0 - _FLOOR)
    target = np.log(shares / (1.0 - shares))
    centre = np.average(columns[known], axis=0, weights=weight)
    scale = np.maximum(columns[known].std(axis=0), 1e-9)
    rows = (columns[known] - centre) / scale
    level = np.average(target, weights=weight)
    gram = (rows * weight[:, None]).T @ rows + _PENALTY * np.eye(rows.shape[1])
    slope = np.linalg.solve(gram, (rows * weight[:, None]).T @ (target - level))
    forecast: Floats = sigmoid(level + (columns[new] - centre) / scale @ slope)
    return forecast


def _is_base(profile: ModelProfile) -> bool:
    """Weights that were not tuned to follow instructions: open, and no name says otherwise."""
    said: Sequence[str] = ("instruct", "chat", "-it", "tuned", "sft", "dpo")
    return profile.open_weights is True and not any(word in profile.id.casefold() for word in said)
