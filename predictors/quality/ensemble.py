"""The default predictor for one table of outcomes: members together, and a doubt about leaving the best model."""

from collections.abc import Sequence
from typing import Self

import numpy as np

from catalog import Floats
from predictors.errors import NotFittedError
from predictors.folds import group_folds

from .calibration import error_scale
from .members.baselines import TopicMeans
from .members.ease_effects import EaseEffects
from .members.imputation import best_single, filled, model_means
from .members.neighbours import NearestNeighbours
from .members.surface_slopes import SurfaceSlopes
from .members.task_heads import TaskHeads
from .prompts.basis import PromptBasis
from .prompts.familiarity import STRANGER, Familiarity, Unquestioned
from .prompts.forms import Forms
from .protocol import Matrix, QualityEstimate, QualityPredictor, TrainingSet

__all__ = ["StackedEnsemble", "act_only_when_sure", "stacking_weights"]

_MARGINS = (0.0, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.2)
_NEVER = 1.0  # a margin no predicted difference exceeds: always the best single model
_SURFACE_WEIGHT = 2.0  # of length and the like against a coordinate of the encoding (docs/quality-studies.md)
_INDIFFERENT = 0.25  # standard errors of the gain that a smaller margin may lack against the best one


class StackedEnsemble:
    """Task heads, topic means and neighbours together, acting only when sure.

    A prediction is a level (how easy is the prompt, for all models) plus contrasts (which model is better here).
    The level is learned well: members are weighed by non-negative least squares on predictions for held-out groups.
    The contrasts are hardly learned, and weights for them would be noise: members count alike, and their mean is
    shrunk by the slope it shows out of fold, and corrected for what ease does to leads (`EaseEffects`).

    A model predicted to beat the best single one keeps only what exceeds a margin, chosen out of fold too, and larger
    where the prompt's kind of task is in doubt: `doubt` is the lead that is not believed on a task nobody has seen.
    When no lead ever paid, routing by quality alone always answers with the best single model.

    What a task taught of a model holds on a sibling in part only: a prompt of an exam that nobody has seen looks like
    one of an exam that was. `unlike` is how much of what sets a lead apart from the model's mean lead over all training
    prompts is left behind on the way: shrinkage towards the mean over tasks, as far as the task is in doubt.

    On a prompt unlike the training data nobody leads, and what is expected is each model's mean and what the prompt's
    surface says on any task (`SurfaceSlopes`): it still tells a hard prompt from an easy one.

    The error is the first member's, scaled to what predictions for held-out groups turned out to be off.
    """

    def __init__(
        self,
        *,
        members: Sequence[QualityPredictor] | None = None,
        familiarity: Familiarity | None = None,
        doubt: float = 0.15,
        unlike: float = 0.35,
        n_folds: int = 4,
        caution: float = 1.0,
        seed: int = 1,
    ) -> None:
        self.members = tuple(members) if members is not None else _default_members()
        self.familiarity = familiarity or Familiarity()
        self.ease = EaseEffects()
        self.forms = Forms()
        self.slopes = SurfaceSlopes()
        self.doubt = doubt
        self.unlike = unlike
        self.n_folds = n_folds
        self.caution = caution
        self.seed = seed

    def fit(self, training: TrainingSet) -> Self:
        """Fit members on the folds, then all else on what they said out of fold, then members on all."""
        score, means = filled(training.score), model_means(training.score)
        self.means_: Floats = means  # (n_models,)
        self.spread_ = float(score.std(axis=0).mean())
        self.best_ = best_single(training.score)
        out_of_fold, error = self._out_of_fold(training)
        offsets = [said - means for said in out_of_fold]  # each (n_prompts, n_models)
        target = score - means
        self.level_weights_ = stacking_weights([offset.mean(axis=1) for offset in offsets], target.mean(axis=1))
        contrasts, observed = _contrasts(np.mean(offsets, axis=0)), _contrasts(target)
        self.contrast_slope_ = _slope(contrasts, observed)
        self.ease.fit(self._level(offsets), contrasts, observed=observed, slope=self.contrast_slope_)
        stacked = self._stack(out_of_fold)
        self.familiarity.fit(training.features, training.domain)
        self.forms.fit(training.features, training.domain, n_surface=training.n_surface)
        self.slopes.fit(training)
        familiarity, unsure = self._known(training.features)
        doubted = self._doubted(stacked, unsure, best=self.best_)
        self.margin_ = _margin(stacked, training.score, score, self.best_, doubted, self.caution)
        believed = act_only_when_sure(stacked, self.best_, np.maximum(doubted, self.margin_))
        expected = self._faded(believed, training.features, familiarity, best=self.best_)
        self.error_scale_ = error_scale(expected, error, training.score, besides=self._strange_error(familiarity))
        for member in self.members:
            member.fit(training)
        return self

    def predict(self, features: Matrix, *, best: int | None = None) -> QualityEstimate:
        """Expected scores, fading into what holds on any task where the prompt is unlike the training data.

        All models of a query have one error: a lead has been doubted once, and caution must not turn a near-tie round.

        Args:
            features: (n_queries, dim).
            best: column of the model that leads are taken over, where the best single one cannot be chosen.
        """
        if not hasattr(self, "error_scale_"):
            raise NotFittedError(self)
        best = self.best_ if best is None else best
        estimates = [member.predict(features) for member in self.members]
        familiarity, unsure = self._known(features)
        stacked = self._stack([estimate.mean for estimate in estimates])
        doubted = self._doubted(stacked, unsure, best=best)
        believed = act_only_when_sure(stacked, best, np.maximum(doubted, self.margin_))
        mean = self._faded(believed, features, familiarity, best=best)
        error = self.error_scale_ * estimates[0].se.mean(axis=1)  # (n_queries,)
        se = np.hypot(error, self._strange_error(familiarity))[:, None]  # (n_queries, 1)
        return QualityEstimate(mean=mean, se=np.broadcast_to(se, mean.shape), familiarity=familiarity)

    def best_among(self, columns: Sequence[int]) -> int:
        """The best single model among these columns, of which there is at least one."""
        return self.best_ if self.best_ in columns else max(columns, key=self.means_.__getitem__)

    def _faded(self, near: Matrix, features: Matrix, familiarity: Floats, *, best: int) -> Matrix:
        """What is expected near the training data (n_queries, n_models), fading into what holds anywhere.

        Fading changes no order that survived the margin: a believed lead shrinks, but stays a lead.
        """
        share = familiarity[:, None]
        lead = near - near[:, [best]]  # (n_queries, n_models)
        anywhere = self.means_ + self.slopes.predict(features)  # (n_queries, n_models)
        usual = np.minimum(anywhere - anywhere[:, [best]], 0.0)
        faded = share * lead + (1.0 - share) * np.where(lead > 0.0, 0.0, usual)
        level = share * near[:, [best]] + (1.0 - share) * anywhere[:, [best]]
        return np.clip(level + faded, 0.0, 1.0)

    def _strange_error(self, familiarity: Floats) -> Floats:
        """What expectations may be off for being made of means, (n_queries,): next to nothing on known prompts."""
        strange = 1.0 - familiarity
        error: Floats = strange**2 * (3.0 - 2.0 * strange) * self.spread_
        return error

    def _known(self, features: Matrix) -> tuple[Floats, Floats]:
        """How known each query's task and form are, and how much in doubt, (n_queries,) each, in [0, 1].

        Where nothing looks known the doubt is endless: no lead is believed at all.
        """
        trust = self.forms.trust(features)
        familiarity: Floats = self.familiarity.predict(features) * trust
        doubt = self.familiarity.doubt(features)
        strange = (doubt >= 1.0) | (familiarity < STRANGER)
        return familiarity, np.where(strange, np.inf, 1.0 - (1.0 - doubt) * trust)

    def _doubted(self, stacked: Matrix, unsure: Floats, *, best: int) -> Matrix:
        """The lead over the best single model that is not believed, (n_queries, n_models)."""
        usual = np.minimum(self.means_ - self.means_[best], 0.0)  # (n_models,)
        apart = stacked - stacked[:, [best]] - usual  # (n_queries, n_models)
        doubted = np.minimum(unsure, 1.0)[:, None] * (self.doubt + self.unlike * apart)
        return np.where(np.isinf(unsure)[:, None], _NEVER, doubted)

    def _out_of_fold(self, training: TrainingSet) -> tuple[list[Matrix], Floats]:
        """What each member expects of prompts that it did not see, and the first one's mean error, (n_prompts,)."""
        said = [np.tile(self.means_, (len(training.features), 1)) for _ in self.members]
        error = np.zeros(len(training.features))
        fold = group_folds(training.group, self.n_folds, self.seed)
        for held_out in range(self.n_folds):
            inside, outside = fold != held_out, fold == held_out
            if not inside.any() or not outside.any():
                continue
            part = training.only(inside)
            estimates = [member.fit(part).predict(training.features[outside]) for member in self.members]
            for predictions, estimate in zip(said, estimates, strict=True):
                predictions[outside] = estimate.mean
            error[outside] = estimates[0].se.mean(axis=1)
        return said, error

    def _stack(self, members: Sequence[Matrix]) -> Matrix:
        offsets = [said - self.means_ for said in members]
        level, contrasts = self._level(offsets), _contrasts(np.mean(offsets, axis=0))
        added = self.contrast_slope_ * contrasts + self.ease.predict(level, contrasts)
        stacked: Matrix = self.means_ + level[:, None] + added
        return stacked

    def _level(self, offsets: Sequence[Matrix]) -> Floats:
        """How much easier than usual each prompt is for all models, (n_queries,)."""
        levels = np.stack([offset.mean(axis=1) for offset in offsets], axis=1)  # (n_queries, n_members)
        level: Floats = levels @ self.level_weights_
        return level


def _default_members() -> tuple[QualityPredictor, ...]:
    # the basis is fitted once and used by all; the ensemble does the doubting
    basis, familiar = PromptBasis(surface_weight=_SURFACE_WEIGHT), Unquestioned()
    return (
        TaskHeads(basis=basis, familiarity=familiar),
        TopicMeans(basis=basis),
        NearestNeighbours(basis=basis, familiarity=familiar),
    )


def _contrasts(offset: Matrix) -> Matrix:
    contrasts: Matrix = offset - offset.mean(axis=1, keepdims=True)
    return contrasts


def _slope(said: Matrix, observed: Matrix) -> float:
    """Least squares through 0, within [0, 1]: contrasts are never blown up."""
    return float(np.clip((said * observed).sum() / max(float((said**2).sum()), 1e-12), 0.0, 1.0))


def stacking_weights(predictions: Sequence[Floats], target: Floats) -> Floats:
    """Non-negative least squares of the target on the members' predictions, with a trace of ridge against ties."""
    from scipy.optimize import nnls  # noqa: PLC0415  # heavy, and needed only to fit

    columns = np.stack(predictions, axis=1)  # (n, n_members)
    gram = columns.T @ columns
    gram += (1e-4 * np.trace(gram) / len(gram) + 1e-12) * np.eye(len(gram))
    lower = np.linalg.cholesky(gram)
    weights: Floats = nnls(lower.T, np.linalg.solve(lower, columns.T @ target))[0]
    return weights


def act_only_when_sure(expected: Matrix, best: int, margin: Matrix | float) -> Matrix:
    """Take `margin` off every predicted lead over the best single model; a lead within it becomes a near-tie.

    Models predicted below the best one keep their distance, so that what a cheaper model loses stays as predicted.

    Args:
        expected: (n_queries, n_models) expected scores.
        best: column of the best single model.
        margin: the lead that is not believed, >= 0; one for all, or (n_queries, n_models).
    """
    lead = expected - expected[:, [best]]  # (n_queries, n_models)
    unsure = np.asarray(margin)
    believed = np.where(lead > unsure, lead - unsure, np.minimum(lead, -1e-9))
    believed[:, best] = 0.0
    return expected[:, [best]] + believed


def _margin(  # noqa: PLR0917  # private, and named at its one call
    stacked: Matrix, score: Matrix, complete: Matrix, best: int, doubted: Matrix, caution: float
) -> float:
    """The smallest margin about as good as the best one; `_NEVER` where no gain is sure."""
    tried, rows = np.isfinite(score), np.arange(len(score))
    values, errors = [], []
    for margin in _MARGINS:
        sure = act_only_when_sure(stacked, best, np.maximum(doubted, margin))
        choice = np.where(tried, sure, -np.inf).argmax(axis=1)
        gain = complete[rows, choice] - complete[:, best]  # (n_prompts,)
        errors.append(float(gain.std() / np.sqrt(len(gain))))
        values.append(float(gain.mean()) - caution * errors[-1])
    top = int(np.argmax(values))
    if values[top] <= 0.0:
        return _NEVER
    return next(
        m for m, v in zip(_MARGINS, values, strict=True) if v > 0.0 and v >= values[top] - _INDIFFERENT * errors[top]
    )
