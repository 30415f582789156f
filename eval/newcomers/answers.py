"""What single answers of a new model are forecast to be, from its profile alone, by the factorization that ships."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from catalog import Floats
from predictors.folds import group_folds
from predictors.quality.placement.factorization import sigmoid

from .benchmark import Benchmark
from .placement import Placement, place
from .splits import Split, left_out

__all__ = ["AnswerError", "answer_errors", "area_under_curve", "log_loss"]

_MIN_SCORE = 1e-3  # no expected score is closer to 0 or 1
_Z90 = 1.6448536269514722


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerError:
    """Forecasts for models that were left out, on prompts that were left out too."""

    split: Split
    n_models: int
    mean_score_mae: float
    covered: float  # share of models whose mean score lies in the 90 % interval
    auc: float  # chance that a right answer was expected more than a wrong one, over all pairs of the split
    auc_within: float  # the same among one model's answers, mean over models
    log_loss: float  # nats
    log_loss_of_constant: float  # of the known models' mean score


def answer_errors(
    benchmark: Benchmark, split: Split, *, folds: int | None = None, progress: Callable[[], None] = lambda: None
) -> AnswerError | None:
    """Every new model of a split, on the half of the questions that nothing was learned from; None: nobody is new."""
    learn = group_folds(benchmark.training.group, 2) == 0
    score = benchmark.training.score[~learn]
    rows: list[tuple[float, ...]] = []
    truths: list[Floats] = []
    forecasts: list[Floats] = []
    for known, new in left_out(benchmark.profiles, split, folds=folds):
        placement = place(benchmark, known=known, new=new, learn=learn)
        expected = np.clip(placement.expected(~learn), _MIN_SCORE, 1.0 - _MIN_SCORE)
        low, high = _interval(placement, ~learn)
        constant = float(np.nanmean(benchmark.training.score[learn][:, known]))
        for at, model in enumerate(np.flatnonzero(new)):
            tried = np.isfinite(score[:, model])
            if tried.any():
                truth, forecast = score[tried, model], expected[tried, at]
                spread = low[tried, at].mean(), high[tried, at].mean()
                mean = truth.mean()
                truths.append(truth)
                forecasts.append(forecast)
                rows.append(
                    (
                        abs(forecast.mean() - mean),
                        float(spread[0] <= mean <= spread[1]),
                        area_under_curve(truth, forecast),
                        log_loss(truth, forecast),
                        log_loss(truth, np.full(len(truth), constant)),
                    )
                )
        progress()
    if not rows:
        return None
    mae, covered, within, loss, constant_loss = np.nanmean(np.array(rows), axis=0).tolist()
    return AnswerError(
        split=split,
        n_models=len(rows),
        mean_score_mae=mae,
        covered=covered,
        auc=area_under_curve(np.concatenate(truths), np.concatenate(forecasts)),
        auc_within=within,
        log_loss=loss,
        log_loss_of_constant=constant_loss,
    )


def area_under_curve(score: Floats, expected: Floats) -> float:
    """Chance that a right answer was expected more than a wrong one, ties counting half; NaN where all are alike."""
    right, wrong = expected[score >= 0.5], expected[score < 0.5]
    if not len(right) or not len(wrong):
        return float("nan")
    order = np.sort(wrong)
    below = np.searchsorted(order, right, side="left")
    through = np.searchsorted(order, right, side="right")
    return float(((below + through) / 2.0).mean() / len(wrong))


def log_loss(score: Floats, expected: Floats) -> float:
    """Mean -log of the chance given to what happened, nats; graded scores count in parts."""
    return float(-np.mean(score * np.log(expected) + (1.0 - score) * np.log(1.0 - expected)))


def _interval(placement: Placement, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    side = placement.prompt_side[rows]
    logit = side[:, :1] + placement.vectors[:, 0] + side[:, 1:] @ placement.vectors[:, 1:].T
    reach = _Z90 * placement.strength_sd
    return sigmoid(logit - reach), sigmoid(logit + reach)
