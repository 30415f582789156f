"""What a router has to beat: constant means, and the best model of each kind of task."""

from typing import Self

import numpy as np

from catalog import Floats
from predictors.errors import NotFittedError

from .basis import PromptBasis
from .imputation import filled, model_means
from .protocol import Matrix, QualityEstimate, TrainingSet

__all__ = ["ClusterMeans", "GlobalMeans", "TopicMeans"]


class GlobalMeans:
    """Every prompt is average: the argmax is the best single model of the training set."""

    def fit(self, training: TrainingSet) -> Self:
        """Learn each model's mean."""
        self.means_: Floats = model_means(training.score)  # (n_models,)
        self.n_outcomes_: Floats = np.isfinite(training.score).sum(axis=0).astype(np.float64)
        return self

    def predict(self, features: Matrix) -> QualityEstimate:
        """The same means for every query; nothing is unfamiliar to a constant."""
        if not hasattr(self, "means_"):
            raise NotFittedError(self)
        mean = np.tile(self.means_, (len(features), 1))  # (n_queries, n_models)
        se = np.sqrt(mean * (1.0 - mean) / (1.0 + self.n_outcomes_))
        return QualityEstimate(mean=np.clip(mean, 0.0, 1.0), se=se, familiarity=np.ones(len(features)))


class TopicMeans:
    """Each model's mean per domain, shrunk to its overall mean, mixed by what the prompt seems to be about.

    `hard` takes the likeliest domain alone: the "best model per domain" of routing papers, without being told the
    domain of the prompt.
    """

    def __init__(self, *, shrinkage: float = 20.0, hard: bool = False, basis: PromptBasis | None = None) -> None:
        self.shrinkage = shrinkage  # prompts' worth of trust in the overall mean
        self.hard = hard
        self.basis = basis or PromptBasis()

    def fit(self, training: TrainingSet) -> Self:
        """Learn the topics and every model's mean in each."""
        self.basis.fit(training.features, training.domain)
        share = self._shares(training.features)  # (n_prompts, n_topics)
        overall = model_means(training.score)
        counts = share.sum(axis=0)[:, None] + self.shrinkage
        self.means_: Matrix = (share.T @ filled(training.score) + self.shrinkage * overall) / counts
        self.counts_: Matrix = counts  # (n_topics, 1)
        return self

    def predict(self, features: Matrix) -> QualityEstimate:
        """Mixed means; the error is that of a mean over the topic's prompts."""
        if not hasattr(self, "means_"):
            raise NotFittedError(self)
        share = self._shares(features)
        mean = np.clip(share @ self.means_, 0.0, 1.0)
        se = np.sqrt(mean * (1.0 - mean) * (share @ (1.0 / self.counts_)))
        return QualityEstimate(mean=mean, se=se, familiarity=np.ones(len(features)))

    def _shares(self, features: Matrix) -> Matrix:
        share = self.basis.topics.predict((features - self.basis.centre_) * self.basis.scale_)
        if self.hard:
            share = np.eye(share.shape[1])[share.argmax(axis=1)]
        return share


class ClusterMeans:
    """Each model's mean per cluster of similar prompts, shrunk to its overall mean."""

    def __init__(self, *, n_clusters: int = 32, shrinkage: float = 20.0, seed: int = 0) -> None:
        self.n_clusters = n_clusters
        self.shrinkage = shrinkage
        self.seed = seed

    def fit(self, training: TrainingSet) -> Self:
        """Cluster the prompts with k-means and average within each cluster."""
        from sklearn.cluster import KMeans  # noqa: PLC0415  # heavy, and needed only to fit

        n_clusters = min(self.n_clusters, len(training.features))
        clusters = KMeans(n_clusters, n_init=1, random_state=self.seed).fit(training.features)
        self.centres_: Matrix = clusters.cluster_centers_  # (n_clusters, dim)
        member = np.eye(n_clusters)[clusters.labels_]  # (n_prompts, n_clusters)
        self.counts_: Floats = member.sum(axis=0) + self.shrinkage
        summed = member.T @ filled(training.score) + self.shrinkage * model_means(training.score)
        self.means_: Matrix = summed / self.counts_[:, None]
        return self

    def predict(self, features: Matrix) -> QualityEstimate:
        """The means of the nearest cluster."""
        if not hasattr(self, "means_"):
            raise NotFittedError(self)
        nearness = features @ self.centres_.T - 0.5 * np.sum(self.centres_**2, axis=1)  # (n_queries, n_clusters)
        nearest = nearness.argmax(axis=1)
        mean = np.clip(self.means_[nearest], 0.0, 1.0)
        se = np.sqrt(mean * (1.0 - mean) / self.counts_[nearest, None])
        return QualityEstimate(mean=mean, se=se, familiarity=np.ones(len(features)))
