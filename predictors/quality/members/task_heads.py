"""One linear head per model, and what each kind of task adds to it."""

from typing import Self

import numpy as np
import numpy.typing as npt

from catalog import Floats
from predictors.errors import NotFittedError
from predictors.quality.prompts.basis import PromptBasis
from predictors.quality.prompts.familiarity import Familiarity
from predictors.quality.prompts.recognition import tasks_of
from predictors.quality.prompts.topics import merged_domains
from predictors.quality.protocol import Matrix, QualityEstimate, TrainingSet

from .imputation import filled
from .linear import RidgeHeads

__all__ = ["TaskHeads"]

_OFFSET_PROMPTS = 20.0  # prompts' worth of doubt in what a task adds to the level of a model


class TaskHeads:
    """Ridge heads for all tasks together, corrected by ridge heads for each task alone.

    What makes a word problem hard is not what makes a law question hard, so that one slope for both is a compromise.
    The corrections learn what the common heads leave over, shrunk more strongly than these and the more so the fewer
    prompts a task has; a query gets those of the tasks that it might be of, by its topic probabilities.

    Source: multi-task ridge regression with a shared part; Evgeniou and Pontil, Regularized Multi-Task Learning, 2004.
    """

    def __init__(
        self,
        *,
        penalty: float = 3.0,
        few: float = 300.0,
        basis: PromptBasis | None = None,
        familiarity: Familiarity | None = None,
    ) -> None:
        self.penalty = penalty  # per prompt of the task, on the scale of `PromptBasis`
        self.few = few  # prompts' worth of penalty besides: a task with fewer is hardly corrected
        self.basis = basis or PromptBasis()
        self.common = RidgeHeads(basis=self.basis, familiarity=familiarity)

    def fit(self, training: TrainingSet) -> Self:
        """Closed form, task after task; with a single task there is nothing to correct."""
        self.common.fit(training)
        score, said = filled(training.score), self.common.predict(training.features).mean
        tasks, where = np.unique(tasks_of(training.domain), return_inverse=True)
        self.share_: Matrix = self._shares(training.domain, where, len(tasks))  # (n_topics, n_tasks)
        standard = self.basis.standard(training.features)  # (n_prompts, dim)
        n_tasks = len(tasks) if len(tasks) > 1 else 0
        self.weights_: Matrix = np.zeros((n_tasks, standard.shape[1], score.shape[1]))  # (n_tasks, dim, n_models)
        self.offset_: Matrix = np.zeros((n_tasks, score.shape[1]))  # (n_tasks, n_models)
        for task in range(n_tasks):
            here = where == task
            self.weights_[task], self.offset_[task] = self._correction(standard[here], (score - said)[here])
        return self

    def predict(self, features: Matrix) -> QualityEstimate:
        """Expected scores; the error is that of the common heads."""
        if not hasattr(self, "weights_"):
            raise NotFittedError(self)
        common = self.common.predict(features)
        standard = self.basis.standard(features)  # (n_queries, dim)
        share = self.basis.topics.predict(standard) @ self.share_  # (n_queries, n_tasks)
        mean = common.mean.copy()
        for task, (weights, offset) in enumerate(zip(self.weights_, self.offset_, strict=True)):
            mean += (common.familiarity * share[:, task])[:, None] * (standard @ weights + offset)
        return QualityEstimate(mean=np.clip(mean, 0.0, 1.0), se=common.se, familiarity=common.familiarity)

    def _shares(self, domain: npt.NDArray[np.str_], task: npt.NDArray[np.int64], n_tasks: int) -> Matrix:
        """Which share of a topic's training prompts is of which task, (n_topics, n_tasks)."""
        topics = self.basis.topics
        topic = np.searchsorted(np.array(topics.names_), merged_domains(domain, min_prompts=topics.min_prompts))
        count = np.zeros((len(topics.names_), n_tasks))
        np.add.at(count, (topic, task), 1.0)
        share: Matrix = count / np.maximum(count.sum(axis=1, keepdims=True), 1.0)
        return share

    def _correction(self, rows: Matrix, left_over: Matrix) -> tuple[Matrix, Floats]:
        """Weights (dim, n_models) and offsets (n_models,) of one task."""
        centre, level = rows.mean(axis=0), left_over.mean(axis=0)
        centred = rows - centre
        gram = centred.T @ centred + (self.penalty * len(rows) + self.few) * np.eye(rows.shape[1])
        weights = np.asarray(np.linalg.solve(gram, centred.T @ (left_over - level)), dtype=np.float64)
        return weights, level * len(rows) / (len(rows) + _OFFSET_PROMPTS) - centre @ weights
