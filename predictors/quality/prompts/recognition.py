"""Is a prompt of a task that was learned from, or of a strange one? Told by tasks that were hidden in turn."""

from types import MappingProxyType
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from catalog import Floats
from predictors.errors import NotFittedError
from predictors.quality.calibration import PlattScaling
from predictors.quality.protocol import Matrix

from .topics import merged_domains

__all__ = ["BoundTrust", "TaskRecognition", "task_folds", "tasks_of"]

_MIN_PROMPTS = 20  # a domain with fewer is merged into its parent
_ROUNDING = 1e-6  # directions in which domains differ less than this share of the most are noise
_STRANGE = 50.0  # spreads: no novelty counts for more
_UNSEEN = 1e3  # novelty of everything to someone who has seen nothing


class TaskRecognition:
    """The probability that a prompt belongs to a task of the training set, by relative Mahalanobis distance.

    Distances are taken in the directions that tell training domains apart: to the nearest domain, less the distance
    to all prompts together. A prompt between the domains is strange, however near it lies to some prompt. What a
    distance means is learned by leaving prompts out at random (known tasks) and whole tasks out (strange ones).

    Source: Ren et al., A Simple Fix to Mahalanobis Distance for Improving Near-OOD Detection, 2021.
    """

    learned_parts: ClassVar = MappingProxyType({"scaling_": PlattScaling})

    def __init__(self, *, trusted: float = 0.1, shrinkage: float = 0.1, n_folds: int = 6, seed: int = 0) -> None:
        self.trusted = trusted  # quantile of the known prompts' probability from which on trust is whole
        self.shrinkage = shrinkage  # of the covariance within domains towards a sphere
        self.n_folds = n_folds
        self.seed = seed

    def fit(self, features: Matrix, domain: npt.NDArray[np.str_]) -> Self:
        """Learn from (n_prompts, dim) features and their domains (n_prompts,)."""
        known = np.random.default_rng(self.seed).integers(self.n_folds, size=len(features))
        strange = task_folds(tasks_of(domain), self.n_folds)
        self._place(features, domain)
        usual = self._hidden(features, domain, known)  # (n_prompts,)
        unusual = self._hidden(features, domain, strange)  # (n_prompts,)
        both = np.concatenate([usual, unusual])
        self.centre_, self.spread_ = (
            float(np.median(both)),
            float(max(np.subtract(*np.quantile(both, [0.9, 0.1])), 1e-9)),
        )
        label = np.concatenate([np.ones(len(usual)), np.zeros(len(unusual))])
        self.scaling_ = PlattScaling.fit(self._standard(both), label)
        known_probability = self._probability(usual)
        self.edge_ = min(float(np.quantile(known_probability, self.trusted)), 0.5)
        self.typical_ = max(float(np.median(known_probability)), 1e-9)
        return self

    def restore(
        self,
        *,
        origin: Floats,
        directions: Matrix,
        places: Matrix,
        ratio: Floats,
        scale: tuple[float, ...],
    ) -> Self:
        """Take back what `fit` learned, as saved; `scale` is centre, spread, slope, shift, edge."""
        self.origin_: Floats = origin  # (dim,)
        self.directions_: Matrix = directions  # (dim, n_directions)
        self.places_: Matrix = places  # (n_domains, n_directions)
        self.ratio_: Floats = ratio  # (n_directions,) variance between domains over variance within
        self.centre_, self.spread_ = scale[:2]
        self.scaling_ = PlattScaling(slope=scale[2], shift=scale[3])
        self.edge_ = scale[4]
        return self

    @property
    def scale_(self) -> tuple[float, ...]:
        """What turns a novelty into trust: centre, spread, slope, shift, edge."""
        return self.centre_, self.spread_, self.scaling_.slope, self.scaling_.shift, self.edge_

    def probability(self, features: Matrix) -> Floats:
        """Probability that each query is of a known task, shape (n_queries,), were both kinds equally frequent."""
        if not hasattr(self, "scaling_"):
            raise NotFittedError(self)
        return self._probability(self._novelty(features))

    def trust(self, features: Matrix) -> Floats:
        """1 where the probability is that of nearly all known prompts, falling with it in proportion, (n_queries,)."""
        return np.minimum(self.probability(features) / self.edge_, 1.0)

    def _probability(self, novelty: Floats) -> Floats:
        logit = self.scaling_.slope * self._standard(novelty) + self.scaling_.shift
        known: Floats = 1.0 / (1.0 + np.exp(-np.clip(logit, -40.0, 40.0)))
        return known

    def _standard(self, novelty: Floats) -> Floats:
        return -np.clip((novelty - self.centre_) / self.spread_, -_STRANGE, _STRANGE)

    def _hidden(self, features: Matrix, domain: npt.NDArray[np.str_], fold: npt.NDArray[np.int64]) -> Floats:
        """Novelty of every prompt to whoever has not seen its fold."""
        novelty = np.full(len(features), _UNSEEN)
        for held_out in np.unique(fold):
            outside = fold == held_out
            if outside.all():
                continue
            other = TaskRecognition(shrinkage=self.shrinkage)
            other._place(features[~outside], domain[~outside])
            novelty[outside] = other._novelty(features[outside])
        return novelty

    def _place(self, features: Matrix, domain: npt.NDArray[np.str_]) -> None:
        """The few directions in which domains differ, and where each domain lies along them."""
        from scipy.linalg import eigh  # noqa: PLC0415  # heavy, and needed only to fit

        names, where = np.unique(merged_domains(domain, min_prompts=_MIN_PROMPTS), return_inverse=True)
        share = np.bincount(where) / len(where)  # (n_domains,)
        self.origin_ = features.mean(axis=0)
        centred = features - self.origin_
        member = np.zeros((len(features), len(names)))
        member[np.arange(len(features)), where] = 1.0
        means = (member.T @ centred) / (share * len(features))[:, None]  # (n_domains, dim)
        between = (means * share[:, None]).T @ means
        within = centred.T @ centred / len(centred) - between
        within += self.shrinkage * np.trace(within) / len(within) * np.eye(len(within)) + 1e-12 * np.eye(len(within))
        ratio, directions = eigh(between, within)
        kept = ratio > _ROUNDING * max(float(ratio[-1]), 1e-9)
        self.directions_ = np.ascontiguousarray(directions[:, kept])
        self.ratio_ = ratio[kept]
        self.places_ = means @ self.directions_

    def _novelty(self, features: Matrix) -> Floats:
        at = (features - self.origin_) @ self.directions_  # (n_queries, n_directions)
        squares = np.einsum("qk,qk->q", at, at)
        to_domain = squares + ((self.places_**2).sum(axis=1) - 2.0 * at @ self.places_.T).min(axis=1)
        overall = (at**2) @ (1.0 / (1.0 + self.ratio_))
        novelty: Floats = to_domain - overall
        return novelty


class BoundTrust:
    """`TaskRecognition.trust` from the queries' products with the directions: a third of the cost."""

    def __init__(self, fitted: TaskRecognition) -> None:
        self.directions = fitted.directions_  # (dim, n_directions), by which the caller multiplies
        self.offset = -(fitted.origin_ @ fitted.directions_)  # (n_directions,), which the caller adds
        self._places = np.ascontiguousarray(-2.0 * fitted.places_.T)  # (n_directions, n_domains)
        self._place_squares = (fitted.places_**2).sum(axis=1)  # (n_domains,)
        self._within = fitted.ratio_ / (1.0 + fitted.ratio_)  # (n_directions,)
        # the logit of being strange is a line in the novelty, cut off where novelty and logit are
        centre, spread, slope, shift, self._edge = fitted.scale_
        self._slope, self._shift = slope / spread, -slope * centre / spread - shift
        ends = [min(max(slope * end - shift, -40.0), 40.0) for end in (-_STRANGE, _STRANGE)]
        self._least, self._most = min(ends), max(ends)

    def __call__(self, at: Matrix) -> Floats:
        """Trust in [0, 1] in queries that lie there: (n_queries, n_directions) to (n_queries,)."""
        nearest = (at @ self._places + self._place_squares).min(axis=-1)
        novelty = (at * at) @ self._within + nearest
        strange = np.minimum(np.maximum(self._slope * novelty + self._shift, self._least), self._most)
        trust: Floats = np.minimum(1.0 / (self._edge + self._edge * np.exp(strange)), 1.0)
        return trust


def tasks_of(domain: npt.NDArray[np.str_]) -> npt.NDArray[np.str_]:
    """The task of each prompt: the benchmark of "dataset/benchmark/subject", or the subject if benchmarks are few."""
    benchmark = np.array(["/".join(label.split("/")[1:2]) or label for label in domain.tolist()])
    if len(set(benchmark.tolist())) >= 3:
        return benchmark
    return merged_domains(domain, min_prompts=_MIN_PROMPTS)


def task_folds(task: npt.NDArray[np.str_], n_folds: int) -> npt.NDArray[np.int64]:
    """Whole tasks dealt to at most `n_folds` folds of about equal size, the largest first."""
    names, count = np.unique(task, return_counts=True)
    size = np.zeros(min(n_folds, len(names)))
    fold_of: dict[str, int] = {}
    for index in np.argsort(-count, kind="stable"):
        fold = int(size.argmin())
        fold_of[str(names[index])] = fold
        size[fold] += count[index]
    return np.array([fold_of[name] for name in task.tolist()], dtype=np.int64)
