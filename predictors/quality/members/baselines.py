"""What a router has to beat: constant means, and the best model of each kind of task."""

from typing import Self

import numpy as np

from catalog import Floats
from predictors.errors import NotFittedError
from predictors.quality.prompts.basis import PromptBasis
from predictors.quality.prompts.topics import merged_domains
from predictors.quality.protocol import Matrix, QualityEstimate, TrainingSet

from .imputation import filled, model_means

__all__ = ["ClusterMeans", "GlobalMeans", "TopicMeans", "domain_means"]

_EASE_PROMPTS = 2.0  # prompts' worth of doubt in the ease of a domain
_LEAST_VARIANCE = 1e-6  # of a model's departures; keeps the ratio of variances defined where nothing departs


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
    """Each model's mean per domain, mixed by what the prompt seems to be about.

    A mean per domain is shrunk to what the model's overall mean and the domain's ease let expect, by as much as its
    own noise demands: how far a model departs from that is estimated for every model apart (empirical Bayes), since
    some are equally good at everything and others excel at one task and fail at the next.

    `hard` takes the likeliest domain alone: the "best model per domain" of routing papers, without being told the
    domain of the prompt.

    Source: the normal-normal model of empirical Bayes, its variances by moments; Efron and Morris, JASA 1975.
    """

    def __init__(self, *, pooling: float = 16.0, hard: bool = False, basis: PromptBasis | None = None) -> None:
        self.pooling = pooling  # domains' worth of trust in the models' common variance against a model's own
        self.hard = hard
        self.basis = basis or PromptBasis()

    def fit(self, training: TrainingSet) -> Self:
        """Learn the topics and every model's mean in each."""
        self.basis.fit(training.features, training.domain, n_surface=training.n_surface)
        labels = merged_domains(training.domain, min_prompts=self.basis.topics.min_prompts)
        names = np.array(self.basis.topics.names_)
        member = (labels[:, None] == names).astype(np.float64)  # (n_prompts, n_topics)
        self.means_: Matrix = domain_means(filled(training.score), member, pooling=self.pooling)  # (n_topics, n_models)
        self.counts_: Matrix = member.sum(axis=0)[:, None] + 1.0  # (n_topics, 1)
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
        share = self.basis.topics.predict(self.basis.standard(features))
        if self.hard:
            share = np.eye(share.shape[1])[share.argmax(axis=1)]
        return share


def domain_means(score: Matrix, member: Matrix, *, pooling: float) -> Matrix:
    """Expected score of each model in each domain, (n_domains, n_models).

    Args:
        score: (n_prompts, n_models), complete.
        member: (n_prompts, n_domains), 1 where a prompt is of the domain.
        pooling: domains' worth of trust in the mean of all models' variances against a model's own.
    """
    count = np.maximum(member.sum(axis=0), 1e-9)[:, None]  # (n_domains, 1)
    overall = score.mean(axis=0)  # (n_models,)
    expected = overall + member.T @ (score - overall).mean(axis=1, keepdims=True) / (count + _EASE_PROMPTS)
    departure = member.T @ score / count - expected  # (n_domains, n_models)
    noise = (score - member @ expected).var(axis=0) / count  # (n_domains, n_models)
    weight = count / count.sum()
    moment = (weight * (departure**2 - noise)).sum(axis=0)  # (n_models,)
    common = max(float(moment.mean()), 0.0)
    variance = np.maximum((len(count) * moment + pooling * common) / (len(count) + pooling), _LEAST_VARIANCE)
    means: Matrix = expected + departure * variance / (variance + noise)
    return means


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
