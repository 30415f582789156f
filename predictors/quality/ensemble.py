"""The default predictor for one table of outcomes: members stacked, and a doubt about leaving the best model."""

from collections.abc import Sequence
from typing import Self

import numpy as np

from catalog import Floats
from predictors.errors import NotFittedError
from predictors.folds import group_folds

from .baselines import TopicMeans
from .basis import PromptBasis
from .imputation import filled, model_means
from .linear import RidgeHeads
from .neighbours import NearestNeighbours
from .protocol import Matrix, QualityEstimate, QualityPredictor, TrainingSet

__all__ = ["StackedEnsemble", "act_only_when_sure", "stacking_weights"]

_MARGINS = (0.0, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.2)
_NEVER = 1.0  # a margin no predicted difference exceeds: always the best single model


class StackedEnsemble:
    """Ridge heads, topic means and neighbours, weighed by what they predict out of fold, acting only when sure.

    A prediction is a level (how easy is the prompt, for all models) plus contrasts (which model is better here).
    Both are stacked apart, by non-negative least squares on predictions for held-out groups: the level is learned
    well, the contrasts hardly, so they need their own shrinkage. Then a model predicted to beat the best single one
    keeps only what exceeds a margin. The margin is the one whose routing gained most over the best single model out
    of fold, after subtracting `caution` standard errors of that gain; when none gained, routing by quality alone
    always answers with the best single model, and says so by its predictions.
    """

    def __init__(
        self,
        *,
        members: Sequence[QualityPredictor] | None = None,
        n_folds: int = 4,
        caution: float = 1.0,
        seed: int = 1,
    ) -> None:
        self.members = tuple(members) if members is not None else _default_members()
        self.n_folds = n_folds
        self.caution = caution
        self.seed = seed

    def fit(self, training: TrainingSet) -> Self:
        """Fit members on the folds, then weights and margin on what they said out of fold, then members on all."""
        score, means = filled(training.score), model_means(training.score)
        self.means_: Floats = means  # (n_models,)
        self.best_ = int(means.argmax())
        out_of_fold = self._out_of_fold(training)
        offsets = [said - means for said in out_of_fold]  # each (n_prompts, n_models)
        levels = [offset.mean(axis=1) for offset in offsets]
        contrasts = [(offset - offset.mean(axis=1, keepdims=True)).ravel() for offset in offsets]
        target = score - means
        self.level_weights_ = stacking_weights(levels, target.mean(axis=1))  # (n_members,)
        self.contrast_weights_ = stacking_weights(contrasts, (target - target.mean(axis=1, keepdims=True)).ravel())
        stacked = self._stack(out_of_fold)
        self.margin_ = _margin(stacked, training.score, score, self.best_, self.caution)
        self.out_of_fold_: Matrix = np.clip(act_only_when_sure(stacked, self.best_, self.margin_), 0.0, 1.0)
        for member in self.members:
            member.fit(training)
        return self

    def predict(self, features: Matrix) -> QualityEstimate:
        """Expected scores; the errors and the familiarity are the first member's."""
        if not hasattr(self, "margin_"):
            raise NotFittedError(self)
        estimates = [member.predict(features) for member in self.members]
        share = estimates[0].familiarity[:, None]
        stacked = self._stack([estimate.mean for estimate in estimates])
        stacked = self.means_ + share * (stacked - self.means_)  # far from the training data: the global means
        mean = np.clip(act_only_when_sure(stacked, self.best_, self.margin_), 0.0, 1.0)
        return QualityEstimate(mean=mean, se=estimates[0].se, familiarity=estimates[0].familiarity)

    def _out_of_fold(self, training: TrainingSet) -> list[Matrix]:
        said = [np.tile(self.means_, (len(training.features), 1)) for _ in self.members]
        fold = group_folds(training.group, self.n_folds, self.seed)
        for held_out in range(self.n_folds):
            inside, outside = fold != held_out, fold == held_out
            if not inside.any() or not outside.any():
                continue
            part = training.only(inside)
            for member, predictions in zip(self.members, said, strict=True):
                predictions[outside] = member.fit(part).predict(training.features[outside]).mean
        return said

    def _stack(self, members: Sequence[Matrix]) -> Matrix:
        total: Matrix = np.tile(self.means_, (len(members[0]), 1))
        for said, level_weight, contrast_weight in zip(
            members, self.level_weights_, self.contrast_weights_, strict=True
        ):
            offset = said - self.means_
            level = offset.mean(axis=1, keepdims=True)
            total += level_weight * level + contrast_weight * (offset - level)
        return total


def _default_members() -> tuple[QualityPredictor, ...]:
    basis = PromptBasis()  # fitted once, used by all three
    return RidgeHeads(basis=basis), TopicMeans(basis=basis), NearestNeighbours(basis=basis)


def stacking_weights(predictions: Sequence[Floats], target: Floats) -> Floats:
    """Non-negative least squares of the target on the members' predictions, with a trace of ridge against ties."""
    from scipy.optimize import nnls  # noqa: PLC0415  # heavy, and needed only to fit

    columns = np.stack(predictions, axis=1)  # (n, n_members)
    gram = columns.T @ columns
    gram += (1e-4 * np.trace(gram) / len(gram) + 1e-12) * np.eye(len(gram))
    lower = np.linalg.cholesky(gram)
    weights: Floats = nnls(lower.T, np.linalg.solve(lower, columns.T @ target))[0]
    return weights


def act_only_when_sure(expected: Matrix, best: int, margin: float) -> Matrix:
    """Take `margin` off every predicted lead over the best single model; a lead within it becomes a near-tie.

    Models predicted below the best one keep their distance, so that what a cheaper model loses stays as predicted.

    Args:
        expected: (n_queries, n_models) expected scores.
        best: column of the best single model.
        margin: the lead that is not believed, >= 0.
    """
    lead = expected - expected[:, [best]]  # (n_queries, n_models)
    believed = np.where(lead > margin, lead - margin, np.minimum(lead, -1e-9))
    believed[:, best] = 0.0
    return expected[:, [best]] + believed


def _margin(stacked: Matrix, score: Matrix, complete: Matrix, best: int, caution: float) -> float:
    tried = np.isfinite(score)
    rows = np.arange(len(score))
    chosen_margin, chosen_value = _NEVER, 0.0
    for margin in _MARGINS:
        choice = np.where(tried, act_only_when_sure(stacked, best, margin), -np.inf).argmax(axis=1)
        gain = complete[rows, choice] - complete[:, best]  # (n_prompts,)
        value = float(gain.mean() - caution * gain.std() / np.sqrt(len(gain)))
        if value > chosen_value:
            chosen_margin, chosen_value = margin, value
    return chosen_margin
