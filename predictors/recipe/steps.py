"""What the fit that is judged and the one that serves have in common."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from catalog import Floats
from predictors.quality.calibration import PlattScaling
from predictors.quality.placement.factorization import LogisticFactorization, sigmoid
from predictors.quality.placement.heads import residual_heads
from predictors.quality.placement.placing import Placing
from predictors.quality.placement.support import Places, coverage, usual_gap
from predictors.quality.prompts.familiarity import Familiarity
from predictors.quality.prompts.recognition import tasks_of
from predictors.quality.protocol import Matrix, TrainingSet

__all__ = ["Tried", "factorized", "heads_of", "places_of", "rescale", "tried_of"]

_MOST_TRAITS: Final = 6
# Several sets ask the same kinds of question: a kind that is hidden is still known from its siblings, so that novelty
# tells less here than within one set and a smaller share of the known prompts may fall under suspicion.
_TRUSTED: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What models were tried on, and what that says of all else (`quality.placement.support`)."""

    support: Matrix  # (n_topics, n_models)
    gap: Floats  # (n_models,)


def factorized(training: TrainingSet, seed: int) -> LogisticFactorization:
    """Fitted to these outcomes."""
    familiarity = Familiarity(trusted=_TRUSTED, seed=seed)
    n_traits = min(_MOST_TRAITS, len(training.models))
    return LogisticFactorization(n_traits=n_traits, seed=seed, familiarity=familiarity).fit(training)


def rescale(fitted: LogisticFactorization, platt: PlattScaling) -> None:
    """The prompt's side and the strengths times the slope, and the shift onto the overall level."""
    fitted.weights_ *= platt.slope
    for strengths in (fitted.profile_map_, fitted.deviation_, fitted.vectors_):
        strengths[:, 0] *= platt.slope
    fitted.profile_map_[0, 0] += platt.shift
    fitted.vectors_[:, 0] += platt.shift


def heads_of(fitted: LogisticFactorization, training: TrainingSet) -> Matrix:
    """What each model scores beside what the factorization expects, (basis dim, n_models)."""
    coordinates = fitted.basis.transform(training.features)
    return residual_heads(coordinates, training.score, sigmoid(fitted.logits(coordinates, fitted.vectors_)))


def tried_of(fitted: LogisticFactorization, training: TrainingSet, placing: Placing) -> Tried:
    """What these outcomes say of where each model was tried."""
    tried = np.isfinite(training.score)  # (n_prompts, n_models)
    coordinates = fitted.basis.transform(training.features)
    topics = fitted.basis.topics.predict(fitted.basis.standard(training.features))
    at_their_places = places_of(fitted, placing, gap=np.zeros(len(training.models)))
    gap = usual_gap(at_their_places.own_ways(coordinates @ fitted.weights_), tried, tasks_of(training.domain))
    return Tried(support=coverage(topics, tried), gap=gap)


def places_of(fitted: LogisticFactorization, placing: Placing, *, gap: Floats) -> Places:
    """Where the models of a fit stand, all of them with outcomes."""
    own, everybody = fitted.vectors_, np.ones(len(fitted.vectors_), dtype=np.bool_)
    return Places.of(own, own - fitted.deviation_, placing, tried=everybody, gap=gap)
