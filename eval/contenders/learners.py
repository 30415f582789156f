"""Ways to learn expected scores from training prompts: the project's own predictors, and what they must beat."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from catalog import Floats
from eval.outcomes.table import ReplayTable
from predictors.quality.protocol import Matrix, QualityEstimate, QualityPredictor, TrainingSet

__all__ = ["Estimator", "FeatureMemory", "Learner", "PredictorLearner", "TfidfNeighbours", "TfidfRidge"]


class Estimator(Protocol):
    """A learner that has learned."""

    def __call__(self, prompts: Sequence[str]) -> QualityEstimate:
        """Expected scores of every candidate on prompts it has not seen."""
        ...


class Learner(Protocol):
    """Learns from a table; keeps nothing from one fold to the next."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def fit(self, train: ReplayTable) -> Estimator:
        """Learn from these prompts alone."""
        ...


class FeatureExtractor(Protocol):
    """Texts in, rows of numbers out (predictors.features.Features)."""

    @property
    def n_surface(self) -> int:
        """How many of the last columns are surface features."""
        ...

    def extract(self, texts: Sequence[str]) -> Matrix:
        """Features of every text, shape (n_texts, dim)."""
        ...


class FeatureMemory:
    """Features computed once per distinct prompt: folds share them, since no feature looks at an outcome."""

    def __init__(self, features: FeatureExtractor) -> None:
        self._features = features
        self._known: dict[str, Floats] = {}

    @property
    def n_surface(self) -> int:
        """How many of the last columns are surface features."""
        return self._features.n_surface

    def extract(self, texts: Sequence[str]) -> Matrix:
        """Features of every text, shape (n_texts, dim)."""
        missing = list(dict.fromkeys(t for t in texts if t not in self._known))
        if missing:
            self._known.update(zip(missing, self._features.extract(missing), strict=True))
        return np.stack([self._known[t] for t in texts])  # (n_texts, dim)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorLearner:
    """A quality predictor of the project, fitted anew on every fold."""

    name: str
    make: Callable[[], QualityPredictor]
    features: FeatureExtractor

    def fit(self, train: ReplayTable) -> Estimator:
        """Fit a fresh predictor on the training prompts."""
        fitted = self.make().fit(
            TrainingSet(
                features=self.features.extract(train.prompt),
                score=train.score,
                models=tuple(f"{i}:{m}" for i, m in enumerate(train.models)),
                domain=np.char.add(f"{train.name}/", train.domain),
                group=train.group,
                n_surface=self.features.n_surface,
            )
        )
        return lambda prompts: fitted.predict(self.features.extract(prompts))


@dataclass(frozen=True, slots=True, kw_only=True)
class TfidfNeighbours:
    """The mean score over the most similar training prompts, by the cosine of their TF-IDF vectors."""

    name: str = "tfidf_knn"
    n_neighbours: int = 40

    def fit(self, train: ReplayTable) -> Estimator:
        """Remember the training prompts."""
        from sklearn.neighbors import NearestNeighbors  # noqa: PLC0415  # heavy, needed only here

        mean = np.nanmean(train.score, axis=0)  # (n_models,)
        found = _shared_words(train.prompt)
        if found is None:
            return _constant(mean)
        words, vectors = found
        index = NearestNeighbors(n_neighbors=min(self.n_neighbours, len(train)), metric="cosine", algorithm="brute")
        index.fit(vectors)

        def estimate(prompts: Sequence[str]) -> QualityEstimate:
            nearest = index.kneighbors(words.transform(prompts), return_distance=False)  # (n, k)
            return _at_face_value(_mean_of_neighbours(train.score[nearest], mean))

        return estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class TfidfRidge:
    """One ridge regression per model on 256 TF-IDF components."""

    name: str = "tfidf_ridge"
    alpha: float = 30.0
    n_components: int = 256
    seed: int = field(default=0)

    def fit(self, train: ReplayTable) -> Estimator:
        """Fit all models at once; a missing score counts as its model's mean, which leaves the slope alone."""
        from sklearn.decomposition import TruncatedSVD  # noqa: PLC0415  # heavy, needed only here
        from sklearn.linear_model import Ridge  # noqa: PLC0415
        from sklearn.pipeline import make_pipeline  # noqa: PLC0415
        from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

        mean = np.nanmean(train.score, axis=0)  # (n_models,)
        target = np.where(train.tried, train.score, mean)  # (n_train, n_models)
        found = _shared_words(train.prompt)
        if found is None or found[1].shape[1] < 2:
            return _constant(mean)
        words, vectors = found
        n_components = min(self.n_components, min(vectors.shape) - 1)
        pipeline = make_pipeline(
            TruncatedSVD(n_components, random_state=self.seed), StandardScaler(), Ridge(alpha=self.alpha)
        )
        pipeline.fit(vectors, target)

        def estimate(prompts: Sequence[str]) -> QualityEstimate:
            return _at_face_value(np.clip(pipeline.predict(words.transform(prompts)), 0.0, 1.0))

        return estimate


def _shared_words(prompts: Sequence[str]) -> tuple[Any, Any] | None:
    """The fitted vectorizer and the prompts' vectors (n_prompts, n_words); None where no two prompts share a word.

    So it is with numbers of one digit, and with languages that put no blanks between words.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415  # heavy, needed only here

    words = TfidfVectorizer(sublinear_tf=True, min_df=2)
    try:
        return words, words.fit_transform(prompts)
    except ValueError:  # all that it raises for texts: "empty vocabulary", "no terms remain"
        return None


def _constant(mean: Floats) -> Estimator:
    """Every model's mean (n_models,), whatever is asked."""
    return lambda prompts: _at_face_value(np.tile(mean, (len(prompts), 1)))


def _mean_of_neighbours(score: Floats, fallback: Floats) -> Floats:
    """Mean over neighbours (n, k, n_models) that were tried, the model's overall mean where none was."""
    known = ~np.isnan(score)  # (n, k, n_models)
    count = known.sum(axis=1)  # (n, n_models)
    total = np.where(known, score, 0.0).sum(axis=1)  # (n, n_models)
    return np.where(count > 0, total / np.maximum(count, 1), fallback)


def _at_face_value(mean: Floats) -> QualityEstimate:
    """Without doubts: the published baselines take the greatest mean, so the router must not discount any."""
    return QualityEstimate(mean=mean, se=np.zeros_like(mean), familiarity=np.ones(len(mean)))
