"""Getting to know a new model with few questions: which to ask next, and what the answers say of strength and traits.

The model's vector (strength, then traits, see predictors.quality.placement.factorization) starts where its profile puts
it. Every graded answer is one observation of a logistic regression on what the question asks for, so that the posterior
has a closed form up to Newton's steps, and the worth of a question is known before it is asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from catalog import Floats
from predictors.quality.placement.factorization import sigmoid
from predictors.quality.protocol import Matrix

__all__ = ["Asked", "VectorBelief", "most_informative"]

_NEWTON_STEPS = 20
_DRAWN = 3  # questions, of which the one that tells most is asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Questions and how well a model answered them."""

    prompt_side: Matrix  # (n_asked, 1 + n_traits): ease, then tastes
    score: Floats  # (n_asked,), in [0, 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorBelief:
    """A normal distribution over a model's (strength, traits)."""

    mean: Floats  # (1 + n_traits,)
    covariance: Matrix  # (1 + n_traits, 1 + n_traits)

    @classmethod
    def from_profile(cls, vector: Floats, *, strength_sd: float, trait_sd: float) -> Self:
        """What is believed before any answer: the profile's vector, its entries independent."""
        sd = np.array([strength_sd, *[trait_sd] * (len(vector) - 1)])
        return cls(mean=np.asarray(vector, dtype=np.float64), covariance=np.diag(sd**2))

    def expected(self, prompt_side: Matrix) -> Floats:
        """Expected score on each question at the mean of the belief, shape (n_questions,)."""
        probability: Floats = sigmoid(prompt_side[:, 0] + _design(prompt_side) @ self.mean)
        return probability

    def after(self, asked: Asked) -> "VectorBelief":
        """The belief after these answers: Laplace's approximation at the maximum a posteriori.

        Give all answers at once to the belief before any; updating in steps would approximate repeatedly.
        """
        rows = _design(asked.prompt_side)  # (n_asked, 1 + n_traits)
        precision = np.linalg.inv(self.covariance)
        mean = self.mean
        curvature = precision
        for _ in range(_NEWTON_STEPS):
            expected = sigmoid(asked.prompt_side[:, 0] + rows @ mean)
            gradient = rows.T @ (expected - asked.score) + precision @ (mean - self.mean)
            curvature = (rows * (expected * (1.0 - expected))[:, None]).T @ rows + precision
            mean = mean - np.linalg.solve(curvature, gradient)
        return VectorBelief(mean=mean, covariance=np.linalg.inv(curvature))


def most_informative(
    belief: VectorBelief,
    prompt_side: Matrix,
    *,
    n: int,
    taken: Sequence[int] = (),
    population: Matrix | None = None,
    rng: np.random.Generator | None = None,
) -> list[int]:
    """The questions whose answers most reduce the error of expected scores over a population of prompts.

    Chosen one after another, each among three that are drawn: the most telling of all are the oddest, about which the
    tastes that are believed of questions are most wrong, and five of those made the choice among bfcl's new models
    worse than their profiles alone do (docs/new-models.md).

    With C the covariance of the belief and M the mean over the population of (p (1 - p))^2 x x', the error is
    trace(C M), and a question x takes p (1 - p) x' C M C x / (1 + p (1 - p) x' C x) of it away: uncertain answers along
    directions in which the model is little known and which many prompts share. The covariance is updated after each
    choice as if it had been answered, since the gain depends on the answer only through p. (Shrinking the whole belief,
    D-optimality, prefers odd questions still more.)

    Args:
        belief: what is known of the model.
        prompt_side: (n_questions, 1 + n_traits) of the questions there are.
        n: how many to choose; fewer are returned when there are not so many left.
        taken: questions that were asked already.
        population: (n_prompts, 1 + n_traits) of the prompts that matter; default: the questions themselves.
        rng: draws; without it, all that are free are compared.

    Source: Chaloner and Verdinelli, Bayesian Experimental Design: A Review, 1995; Bayesian I-optimality.
    """
    rows = _design(prompt_side)  # (n_questions, 1 + n_traits)
    weight = _curvature(belief, prompt_side)  # (n_questions,)
    matter = prompt_side if population is None else population
    sloped = _design(matter) * _curvature(belief, matter)[:, None]  # (n_prompts, 1 + n_traits)
    target = sloped.T @ sloped / max(len(sloped), 1)
    free = np.ones(len(rows), dtype=np.bool_)
    free[list(taken)] = False
    covariance = belief.covariance
    chosen: list[int] = []
    while len(chosen) < n and free.any():
        at = np.flatnonzero(free)  # (n_compared,)
        if rng is not None:
            at = rng.choice(at, size=min(_DRAWN, len(at)), replace=False)
        reach = rows[at] @ covariance  # (n_compared, 1 + n_traits)
        variance = np.einsum("qk,qk->q", reach, rows[at])
        share = weight[at] / (1.0 + weight[at] * variance)  # of its reach that an answer takes away
        best = int((share * np.einsum("qk,kl,ql->q", reach, target, reach)).argmax())
        covariance = covariance - np.outer(reach[best], reach[best]) * share[best]
        free[at[best]] = False
        chosen.append(int(at[best]))
    return chosen


def _curvature(belief: VectorBelief, prompt_side: Matrix) -> Floats:
    """P (1 - p) of each question at the mean of the belief, shape (n_questions,)."""
    expected = belief.expected(prompt_side)
    return expected * (1.0 - expected)


def _design(prompt_side: Matrix) -> Matrix:
    rows = prompt_side.copy()
    rows[:, 0] = 1.0  # strength counts alike on every question; its ease is an offset
    return rows
