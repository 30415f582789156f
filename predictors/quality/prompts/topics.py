"""What a prompt is about: the probability of each training domain, read from its features."""

from collections import Counter
from typing import Self

import numpy as np
import numpy.typing as npt

from catalog import Floats
from predictors.errors import NotFittedError
from predictors.quality.protocol import Matrix

__all__ = ["Topics", "merged_domains"]


class Topics:
    """Multinomial logistic regression from features to domains.

    Which model is best depends on the kind of task more than on anything else; the label is known in training and
    has to be guessed afterwards, softly, so that an unclear prompt gets a mixture.
    """

    def __init__(self, *, inverse_penalty: float = 0.1, min_prompts: int = 20, max_iterations: int = 60) -> None:
        self.inverse_penalty = inverse_penalty
        self.min_prompts = min_prompts  # a domain with fewer is merged into its parent
        self.max_iterations = max_iterations

    def fit(self, features: Matrix, domain: npt.NDArray[np.str_]) -> Self:
        """Learn from standardised features (n_prompts, dim) and the prompts' domains (n_prompts,)."""
        labels = merged_domains(domain, min_prompts=self.min_prompts)
        self.names_ = tuple(sorted(set(labels.tolist())))
        n_topics = len(self.names_)
        if n_topics == 1:
            return self._learned(np.zeros((features.shape[1], 1)), np.zeros(1))
        import warnings  # noqa: PLC0415

        from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415  # heavy, and needed only to fit
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early is part of the regularisation
            fitted = LogisticRegression(C=self.inverse_penalty, max_iter=self.max_iterations).fit(features, labels)
        if n_topics == 2:  # scikit-learn keeps one row of coefficients: those of the second class
            weights = np.concatenate([np.zeros_like(fitted.coef_), fitted.coef_])
            intercept = np.concatenate([np.zeros(1), fitted.intercept_])
        else:
            weights, intercept = fitted.coef_, fitted.intercept_
        return self._learned(weights.T.copy(), intercept)

    def predict(self, features: Matrix) -> Matrix:
        """Probability of each topic, shape (n_queries, n_topics); rows sum to 1."""
        if not hasattr(self, "weights_"):
            raise NotFittedError(self)
        logits = features @ self.weights_ + self.intercept_  # (n_queries, n_topics)
        logits -= logits.max(axis=1, keepdims=True)
        shares = np.exp(logits)
        normalised: Matrix = shares / shares.sum(axis=1, keepdims=True)
        return normalised

    def _learned(self, weights: Matrix, intercept: Floats) -> Self:
        self.weights_ = weights  # (dim, n_topics)
        self.intercept_ = intercept  # (n_topics,)
        return self


def merged_domains(domain: npt.NDArray[np.str_], *, min_prompts: int) -> npt.NDArray[np.str_]:
    """Domains such as "dataset/benchmark/subject", where those with too few prompts give way to their parent."""
    labels = domain.tolist()
    deepest = max(label.count("/") for label in labels)
    for depth in range(deepest, 0, -1):
        count = Counter(labels)
        labels = [
            label.rpartition("/")[0] if label.count("/") == depth and count[label] < min_prompts else label
            for label in labels
        ]
    return np.array(labels)
