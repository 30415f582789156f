"""What a router has to beat: rules that need no prediction, chosen on training prompts only.

A choice is one position per prompt. Where a model was not tried on a prompt, its rule's next best one answers.
"""

import numpy as np

from catalog import Floats
from eval.outcomes.table import Bools, Ints, ReplayTable

__all__ = [
    "best_single",
    "cheapest_oracle",
    "cheapest_single",
    "dearest_single",
    "length_threshold",
    "oracle",
    "per_domain_best",
    "random_choice",
]

_PRIOR_PROMPTS = 20.0  # a domain's mean is shrunk to the whole's as if it held this many average prompts


def best_single(train: ReplayTable, test: ReplayTable) -> Ints:
    """The model of the best mean score on the training prompts, for every test prompt, shape (n_test,)."""
    return _first_tried(np.where(train.covering, np.nanmean(train.score, axis=0), -1.0), test)


def cheapest_single(train: ReplayTable, test: ReplayTable) -> Ints:
    """The model of the least mean cost on the training prompts, shape (n_test,)."""
    return _first_tried(np.where(train.covering, -np.nanmean(train.cost_usd, axis=0), -np.inf), test)


def dearest_single(train: ReplayTable, test: ReplayTable) -> Ints:
    """The model of the greatest mean cost on the training prompts: what "buy the strongest" means. Shape (n_test,)."""
    return _first_tried(np.where(train.covering, np.nanmean(train.cost_usd, axis=0), -1.0), test)


def per_domain_best(train: ReplayTable, test: ReplayTable) -> Ints:
    """The best model of the prompt's own domain, whose name is thereby given away. Shape (n_test,)."""
    overall = np.where(train.covering, np.nanmean(train.score, axis=0), -1.0)  # (n_models,)
    chosen = _first_tried(overall, test)
    for domain in np.unique(test.domain):
        here = train.score[train.domain == domain]  # (n_here, n_models)
        count = (~np.isnan(here)).sum(axis=0)  # (n_models,)
        shrunk = (np.nansum(here, axis=0) + _PRIOR_PROMPTS * overall) / (count + _PRIOR_PROMPTS)
        rows = np.flatnonzero(test.domain == domain)
        chosen[rows] = _first_tried(shrunk, test.take(rows))
    return chosen


def length_threshold(train: ReplayTable, test: ReplayTable, *, long_share: float) -> Ints:
    """The best single model for the longest share of prompts, the cheapest for the others. Shape (n_test,)."""
    limit = np.quantile([len(p) for p in train.prompt], 1 - long_share)
    is_long = np.array([len(p) for p in test.prompt]) > limit  # (n_test,)
    return np.where(is_long, best_single(train, test), cheapest_single(train, test))


def oracle(test: ReplayTable) -> Ints:
    """The best model of each prompt, the cheapest of them where several tie: no router can score more. (n_test,)."""
    best = np.nanmax(test.score, axis=1, keepdims=True)  # (n_test, 1)
    return _cheapest_among(test, test.score >= best)


def cheapest_oracle(test: ReplayTable, *, floor: float = 0.5) -> Ints:
    """The cheapest model that scores at least `floor`, the cheapest of all where none does. Shape (n_test,)."""
    right = test.score >= floor  # (n_test, n_models), False where not tried
    return _cheapest_among(test, np.where(right.any(axis=1, keepdims=True), right, test.tried))


def random_choice(test: ReplayTable, rng: np.random.Generator) -> Ints:
    """One of the tried models, uniformly, shape (n_test,)."""
    chosen: Ints = np.argmax(np.where(test.tried, rng.random(test.score.shape), -1.0), axis=1)
    return chosen


def _first_tried(merit: Floats, test: ReplayTable) -> Ints:
    chosen: Ints = np.argmax(np.where(test.tried, merit, -np.inf), axis=1)
    return chosen


def _cheapest_among(test: ReplayTable, eligible: Bools) -> Ints:
    chosen: Ints = np.argmin(np.where(eligible, test.cost_usd, np.inf), axis=1)
    return chosen
