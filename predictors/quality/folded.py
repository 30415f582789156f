"""What fitting found, folded into the few arrays and numbers that serving needs; these are what a saved model holds.

`folded` and `numbers` make them, and the functions at the end make parts that can be asked out of them again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from catalog import Floats

from .placement.cold_start import AbilityPrior
from .placement.factorization import LogisticFactorization
from .placement.placing import Placing
from .prompts.familiarity import Familiarity
from .prompts.recognition import TaskRecognition
from .protocol import Matrix

__all__ = [
    "ARRAYS",
    "PER_MODEL",
    "SCALARS",
    "QualityFit",
    "folded",
    "numbers",
    "restored_familiarity",
    "restored_placing",
    "restored_prior",
]

# k is 1 + n_traits: a prompt's ease and tastes, a model's strength and traits.
ARRAYS: Final = (
    # a prompt's side of the factorization: features @ on_features + on_constant + topics @ on_topics
    "on_features",  # (dim, k)
    "on_constant",  # (k,)
    "on_topics",  # (n_topics, k)
    # what heads add to the score of each model, likewise
    "head_on_features",  # (dim, n_models)
    "head_constant",  # (n_models,)
    "head_on_topics",  # (n_topics, n_models)
    # logits of the topics
    "topic_weights",  # (dim, n_topics)
    "topic_constant",  # (n_topics,)
    # a model's side: its standardised profile, with a one before it, @ profile_map, + deviation
    "profile_centre",  # (n_profile,)
    "profile_scale",  # (n_profile,)
    "profile_map",  # (1 + n_profile, k)
    "profile_inverse",  # (1 + n_profile, 1 + n_profile), of the ridge regression's Gram matrix
    "deviation",  # (n_models, k)
    # what each model was tried on
    "n_outcomes",  # (n_models,)
    "support",  # (n_topics, n_models) of `support.coverage`
    "gap",  # (n_models,) of `support.usual_gap`
    # general ability from facts (`AbilityPrior`)
    "fact_mean",  # (n_facts,)
    "fact_scale",  # (n_facts,)
    "fact_weights",  # (n_facts,)
    # how familiar a prompt is (`Familiarity`, `TaskRecognition`)
    "landmarks",  # (n_landmarks, dim)
    "task_directions",  # (dim, n_directions)
    "task_origin",  # (dim,)
    "task_places",  # (n_domains, n_directions); none where one task only was seen
    "task_ratio",  # (n_directions,)
    "task_scale",  # (5,)
    "sample",  # (n_sample, k), the side of prompts that stand for all: over them a model's mean is taken
)
PER_MODEL: Final = ("gap", "head_constant", "head_on_features", "head_on_topics", "n_outcomes", "support")  # last axis
SCALARS: Final = (
    *("known_sd", "prompt_sd"),  # standard errors, logits: of a model with outcomes, and of what a prompt asks
    *("of_prompt", "of_strength", "unseen_shift", "unseen_sd", "unseen_sd_per_year"),  # of `Placing`
    "newest_year",  # when the newest model of the fit came out, in years since 2023
    *("ability_level", "ability_sd"),  # of `AbilityPrior`
    *("edge", "width"),  # of `Familiarity`
)

_NEWEST_UNKNOWN = 1_000.0  # years since 2023, of a fit without dates: no model is newer than that


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityFit:
    """Everything that fitting found out about prompts and models.

    The factorization is fitted on profile features that were centred and scaled as given.
    """

    factorization: LogisticFactorization
    models: tuple[str, ...]  # their names, in the order of the fit
    heads: Matrix  # (basis dim, n_models) of `residual_heads`
    support: Matrix  # (n_topics, n_models) of `support.coverage`
    gap: Floats  # (n_models,) of `support.usual_gap`
    sample: Matrix  # (n_sample, dim) features of training prompts that stand for all
    prior: AbilityPrior  # general ability from facts
    profile_centre: Floats  # (n_profile,)
    profile_scale: Floats  # (n_profile,)
    placing: Placing  # how new models are placed, and how wrong that may be
    newest_year: float  # when the newest model came out, in years since 2023; infinite if nobody knows
    known_sd: float  # standard error of a model with outcomes, on the logit scale
    prompt_sd: float  # and of what a prompt asks


def folded(fit: QualityFit) -> dict[str, Matrix | Floats]:
    """All `ARRAYS` of a fit, the basis folded into them: serving multiplies plain features."""
    familiarity = fit.factorization.familiarity
    return {
        **_of_factorization(fit.factorization, fit.heads),
        "support": fit.support,
        "gap": fit.gap,
        "profile_centre": fit.profile_centre,
        "profile_scale": fit.profile_scale,
        "sample": fit.factorization.basis.transform(fit.sample) @ fit.factorization.weights_,
        "landmarks": familiarity.landmarks_,
        **_of_recognition(familiarity.recognition_, fit.sample.shape[1]),
        "fact_mean": fit.prior.fact_mean_,
        "fact_scale": fit.prior.fact_scale_,
        "fact_weights": fit.prior.weights_,
    }


def numbers(fit: QualityFit) -> dict[str, float]:
    """All `SCALARS` of a fit."""
    return {
        "known_sd": fit.known_sd,
        "prompt_sd": fit.prompt_sd,
        "of_prompt": fit.placing.of_prompt,
        "of_strength": fit.placing.of_strength,
        "unseen_shift": fit.placing.shift,
        "unseen_sd": fit.placing.sd,
        "unseen_sd_per_year": fit.placing.sd_per_year,
        "newest_year": fit.newest_year if np.isfinite(fit.newest_year) else _NEWEST_UNKNOWN,
        "ability_level": fit.prior.level_,
        "ability_sd": fit.prior.sd_,
        "edge": fit.factorization.familiarity.edge_,
        "width": fit.factorization.familiarity.width_,
    }


def restored_placing(scalars: Mapping[str, float]) -> Placing:
    """How new models are placed."""
    return Placing(
        of_prompt=scalars["of_prompt"],
        of_strength=scalars["of_strength"],
        shift=scalars["unseen_shift"],
        sd=scalars["unseen_sd"],
        sd_per_year=scalars["unseen_sd_per_year"],
    )


def restored_prior(arrays: Mapping[str, Matrix], scalars: Mapping[str, float]) -> AbilityPrior:
    """General ability from facts."""
    return AbilityPrior().restore(
        fact_mean=arrays["fact_mean"],
        fact_scale=arrays["fact_scale"],
        weights=arrays["fact_weights"],
        level=scalars["ability_level"],
        sd=scalars["ability_sd"],
    )


def restored_familiarity(arrays: Mapping[str, Matrix], scalars: Mapping[str, float]) -> Familiarity:
    """How much a prompt resembles those of the fit."""
    return Familiarity().restore(
        arrays["landmarks"], edge=scalars["edge"], width=scalars["width"], recognition=_recognition(arrays)
    )


def _of_factorization(fitted: LogisticFactorization, heads: Matrix) -> Mapping[str, Matrix | Floats]:
    basis = fitted.basis
    on_features, on_constant, on_topics = basis.fold_in(fitted.weights_)
    head_on_features, head_constant, head_on_topics = basis.fold_in(heads)
    topic_weights = basis.topics.weights_ * basis.scale_[:, None]
    return {
        "on_features": on_features,
        "on_constant": on_constant,
        "on_topics": on_topics,
        "head_on_features": head_on_features,
        "head_constant": head_constant,
        "head_on_topics": head_on_topics,
        "topic_weights": topic_weights,
        "topic_constant": basis.topics.intercept_ - basis.centre_ @ topic_weights,
        "profile_inverse": fitted.profile_inverse_,
        "profile_map": fitted.profile_map_,
        "deviation": fitted.deviation_,
        "n_outcomes": fitted.n_outcomes_,
    }


def _of_recognition(recognition: TaskRecognition | None, dim: int) -> Mapping[str, Matrix | Floats]:
    """As saved; no directions at all where one task only was seen."""
    if recognition is None:
        return {
            "task_directions": np.zeros((dim, 0)),
            "task_origin": np.zeros(dim),
            "task_places": np.zeros((0, 0)),
            "task_ratio": np.zeros(0),
            "task_scale": np.zeros(5),
        }
    return {
        "task_directions": recognition.directions_,
        "task_origin": recognition.origin_,
        "task_places": recognition.places_,
        "task_ratio": recognition.ratio_,
        "task_scale": np.array(recognition.scale_),
    }


def _recognition(arrays: Mapping[str, Matrix]) -> TaskRecognition | None:
    if not len(arrays["task_places"]):
        return None
    return TaskRecognition().restore(
        origin=arrays["task_origin"],
        directions=arrays["task_directions"],
        places=arrays["task_places"],
        ratio=arrays["task_ratio"],
        scale=tuple(arrays["task_scale"].tolist()),
    )
