"""The factorization bound to one pool's candidates: what each of a gateway's forecasts of quality comes from."""

from collections.abc import Mapping, Sequence

import numpy as np

from catalog import Floats

from .placement.factorization import sigmoid
from .placement.support import Places
from .prompts.familiarity import BoundFamiliarity, Familiarity
from .protocol import Matrix

__all__ = ["BoundFactorization", "of_candidates"]

_MIN_SCORE = 1e-3  # no expected score is closer to 0 or 1
_MAX_LOGIT = 40.0  # beyond it a score is as good as 0 or 1, and a power of e may be too large for a number


class BoundFactorization:
    """One pool's candidates; `estimate` costs a few small matrix products, however many queries it is asked about."""

    def __init__(
        self,
        arrays: Mapping[str, Matrix],
        familiarity: Familiarity,
        *,
        places: Places,
        logit_sd: Floats,
        placed_sd: Floats,
        prompt_sd: float,
    ) -> None:
        """Everything that no query changes.

        Args:
            arrays: of `of_candidates`.
            familiarity: of a prompt.
            places: where the candidates stand.
            logit_sd: (n_models,) standard error of their strength, as the outcomes say,
            placed_sd: (n_models,) and as the profile says.
            prompt_sd: standard error of what a prompt asks, logits.
        """
        self._familiarity = BoundFamiliarity(familiarity)
        k, n_models = places.on_side.shape
        n_linear, n_topics = k + n_models, len(arrays["topic_constant"])
        # One product for the prompts' side, the heads of the candidates, the topics' logits and the familiarity. Single
        # precision changes forecasts by a millionth: a lone query waits for these numbers to come from memory.
        self._weights = np.concatenate(
            [arrays["on_features"], arrays["head_on_features"], arrays["topic_weights"], self._familiarity.directions],
            axis=1,
            dtype=np.float32,
        )  # (dim, k + n_models + n_topics + n_products)
        self._constant = np.concatenate(
            [arrays["on_constant"], arrays["head_constant"], arrays["topic_constant"], self._familiarity.offset]
        )  # (k + n_models + n_topics + n_products,)
        self._on_topics = np.concatenate(
            [arrays["on_topics"], arrays["head_on_topics"], arrays["support"]], axis=1
        )  # (n_topics, k + n_models + n_models)
        self._linear, self._topics = slice(n_linear), slice(n_linear, n_linear + n_topics)  # in products
        self._products = slice(n_linear + n_topics, None)  # of the familiarity
        self._support = slice(n_linear, None)  # in what is mixed by topics
        self._side, self._heads = slice(k), slice(k, None)  # in what is linear
        self._placed, self._own = slice(n_models), slice(n_models, None)  # in logits
        self._on_side = np.concatenate([places.on_side, places.on_side_own], axis=1)  # (k, 2 x n_models)
        self._strength = np.concatenate([places.strength, places.strength_own])  # (2 x n_models,)
        self._variance = placed_sd**2 + prompt_sd**2  # (n_models,) where a model was not tried,
        self._variance_own = np.minimum(logit_sd**2 - placed_sd**2, 0.0)  # and what to add to that where it was
        # what lies far from all training prompts, nobody was tried on
        over_sample = sigmoid(places.logits(arrays["sample"]))  # (n_sample, n_models)
        self._global_mean: Floats = over_sample.mean(axis=0)  # (n_models,)
        self._global_variance: Floats = over_sample.var(axis=0) + self._global_mean * (1 - self._global_mean) * (
            placed_sd**2 * 0.25
        )  # (n_models,)

    def estimate(self, features: Matrix) -> tuple[Matrix, Matrix, Floats]:
        """See `BoundQuality.estimate`."""
        products = (features.astype(np.float32) @ self._weights).astype(np.float64)
        products += self._constant
        logits = products[..., self._topics]
        topics = np.exp(logits - logits.max(axis=-1, keepdims=True))  # (n_queries, n_topics)
        mixed = topics @ self._on_topics  # (n_queries, k + n_models + n_models)
        mixed /= topics.sum(axis=-1, keepdims=True)
        linear, support = mixed[..., self._linear], mixed[..., self._support]
        linear += products[..., self._linear]
        near = self._near(linear[..., self._side], linear[..., self._heads], support)  # (n_queries, n_models)
        slope = near * (1.0 - near)  # by which an error on the logit scale is one of the score
        variance = slope * slope * (self._variance + support * self._variance_own)
        share = self._familiarity(products[..., self._products], squares=(features * features).sum(axis=-1))
        part = share[..., None]
        rest = 1.0 - part
        mean = part * near + rest * self._global_mean
        variance = part * variance + rest * self._global_variance
        return mean, np.sqrt(variance), share

    def _near(self, side: Matrix, heads: Matrix, support: Matrix) -> Matrix:
        """Expected scores on familiar prompts, (n_queries, n_models).

        From their side (n_queries, k), and heads and support of the models, both (n_queries, n_models).
        """
        parts = side @ self._on_side  # (n_queries, 2 x n_models)
        parts += self._strength
        logit, own = parts[..., self._placed], parts[..., self._own]
        logit += support * own
        np.minimum(np.maximum(logit, -_MAX_LOGIT, out=logit), _MAX_LOGIT, out=logit)
        near: Matrix = 1.0 / (1.0 + np.exp(-logit)) + support * heads
        return np.minimum(np.maximum(near, _MIN_SCORE, out=near), 1.0 - _MIN_SCORE, out=near)


def of_candidates(arrays: Mapping[str, Matrix], rows: Sequence[int | None]) -> Mapping[str, Matrix]:
    """The same arrays, with head, support and gap of each candidate: those of a model with outcomes, or none."""
    known = np.array([row is not None for row in rows], dtype=np.float64)  # (n_candidates,)
    columns = [row or 0 for row in rows]
    of_models = [name for name in arrays if name.startswith("head_") or name in {"support", "gap"}]
    return {**arrays, **{name: arrays[name][..., columns] * known for name in of_models}}
