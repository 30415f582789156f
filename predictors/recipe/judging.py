"""What a fit is worth on prompts that it has not seen, and what follows from that for the one that serves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from catalog import Floats
from predictors.errors import InvalidOutcomesError
from predictors.folds import group_folds
from predictors.quality.calibration import PlattScaling, excess_logit_sd, expected_calibration_error
from predictors.quality.members.imputation import best_single
from predictors.quality.placement.factorization import LogisticFactorization, sigmoid
from predictors.quality.placement.placing import Placing, learn_placing
from predictors.quality.protocol import Matrix, TrainingSet

from .model_side import ModelSide
from .steps import factorized, heads_of, places_of, rescale, tried_of

__all__ = ["Judgement", "held_out_fold", "judge", "report_on"]

_N_FOLDS: Final = 5
_MIN_LOGIT_SD: Final = 0.1  # nobody is known better


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What predictions for held-out prompts were worth."""

    platt: PlattScaling  # of their logits
    known_sd: float  # standard error of a model with outcomes, logits
    placing: Placing  # how models without outcomes are placed
    report: Mapping[str, float]  # for the manifest


def held_out_fold(group: npt.NDArray[np.str_], seed: int) -> npt.NDArray[np.bool_]:
    """Which prompts are for judging, (n_prompts,): one in five questions."""
    return np.asarray(group_folds(group, _N_FOLDS, seed) == 0)


def judge(training: TrainingSet, side: ModelSide, seed: int) -> Judgement:
    """Fit the other folds, scale that by the prompts held out, and see what it expects of them.

    Raises:
        InvalidOutcomesError: there are too few prompts to hold some out.
    """
    held_out = held_out_fold(training.group, seed)
    if not held_out.any() or held_out.all():
        raise InvalidOutcomesError("too few different prompts to hold some out; give outcomes on at least 20 prompts")
    inside, hidden = training.only(~held_out), training.only(held_out)
    fitted = factorized(inside, seed)
    coordinates = fitted.basis.transform(hidden.features)  # (n_hidden, basis dim)
    tried = np.isfinite(hidden.score)
    platt = PlattScaling.fit(fitted.logits(coordinates, fitted.vectors_)[tried], hidden.score[tried])
    rescale(fitted, platt)
    placing = learn_placing(
        vectors=fitted.vectors_,
        rows=side.rows,
        side=coordinates @ fitted.weights_,
        score=hidden.score,
        owner=side.owner,
        years=side.years,
    )
    expected = _expected(fitted, inside, hidden, placing)
    report = report_on(expected, hidden.score, means=fitted.global_mean_, best=best_single(inside.score))
    return Judgement(
        platt=platt,
        known_sd=_known_sd(expected, hidden.score),
        placing=placing,
        report={**report, "platt_slope": _rounded(platt.slope)},
    )


def _expected(fitted: LogisticFactorization, inside: TrainingSet, hidden: TrainingSet, placing: Placing) -> Matrix:
    """Scores of prompts that were hidden, as a model that serves forecasts them, (n_hidden, n_models)."""
    coordinates = fitted.basis.transform(hidden.features)
    topics = fitted.basis.topics.predict(fitted.basis.standard(hidden.features))  # (n_hidden, n_topics)
    known = tried_of(fitted, inside, placing)
    support = topics @ known.support  # (n_hidden, n_models)
    logits = places_of(fitted, placing, gap=known.gap).logits(coordinates @ fitted.weights_, support)
    return np.clip(sigmoid(logits) + support * (coordinates @ heads_of(fitted, inside)), 0.0, 1.0)


def _known_sd(expected: Matrix, score: Matrix) -> float:
    """How far off the logits of a model with outcomes are, beyond chance: over models, the root of the mean square."""
    tried = np.isfinite(score)
    per_model = [excess_logit_sd(expected[tried[:, m], m], score[tried[:, m], m]) for m in np.flatnonzero(tried.any(0))]
    return max(float(np.sqrt(np.mean(np.square(per_model)))), _MIN_LOGIT_SD)


def report_on(expected: Matrix, score: Matrix, *, means: Floats, best: int) -> dict[str, float]:
    """What expected scores of held-out prompts were worth, beside the models' means and the best single model."""
    tried = np.isfinite(score)
    report = {
        "n_outcomes": int(tried.sum()),
        "brier": _rounded(np.mean((expected - score)[tried] ** 2)),
        "brier_of_model_means": _rounded(np.mean((np.broadcast_to(means, score.shape) - score)[tried] ** 2)),
        "calibration_error": _rounded(expected_calibration_error(expected[tried], score[tried])),
    }
    if tried.all():
        choice = expected.argmax(axis=1)
        report["score_of_choice"] = _rounded(score[np.arange(len(score)), choice].mean())
        report["score_of_best_single"] = _rounded(score[:, best].mean())
    return report


def _rounded(value: float | np.floating[Any]) -> float:
    return round(float(value), 5)
