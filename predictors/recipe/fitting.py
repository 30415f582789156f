"""The steps by which outcomes and profiles become a quality model.

A factorization is judged on a held-out fold (`judging`: calibration, errors, how new models are placed), fitted again
to everything and scaled alike (`steps`); dense tables get an ensemble each (`tables`). docs/quality.md has the reasons.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from catalog import ModelProfile
from predictors.outcomes import Outcomes
from predictors.quality.folded import QualityFit
from predictors.quality.model import QualityModel
from predictors.quality.own import TableEnsemble
from predictors.quality.placement.cold_start import AbilityPrior
from predictors.quality.prompts.familiarity import spread_over_domains
from predictors.quality.protocol import TrainingSet
from predictors.training import FeatureExtractor, training_set

from .judging import Judgement, judge
from .model_side import ModelSide, releases_of
from .reproducible import single_threaded
from .steps import factorized, heads_of, rescale, tried_of
from .tables import DenseTable, dense_tables

__all__ = ["Progress", "fit_quality_model"]

Progress = Callable[[str, int, int], None]  # (what, done, of)

_N_SAMPLE: Final = 512  # training prompts that stand for all
_JUDGING: Final = "judging on held-out prompts"
_FITTING: Final = "fitting on all prompts"


@single_threaded()
def fit_quality_model(
    outcomes: Outcomes,
    features: FeatureExtractor,
    *,
    profile_of: Callable[[str | None, str], ModelProfile],
    prior: AbilityPrior,
    seed: int = 0,
    ensembles: bool = True,
    provenance: Mapping[str, object] | None = None,
    progress: Progress | None = None,
) -> QualityModel:
    """Fit, judge on a held-out fold, calibrate, and fold into a model that serves.

    Args:
        outcomes: of any models, on any prompts.
        features: what prompts are read with; the model is bound to its name.
        profile_of: the profile of (dataset, model name); two names of one profile id are pooled, but in the ensembles.
        prior: general ability from a profile's facts.
        ensembles: also one for each dense table, which speaks for the models in it.
        seed: of folds and start values; the same seed and outcomes give the same bytes.
        provenance: put into the manifest as it is.
        progress: told what is going on.

    Raises:
        InvalidOutcomesError: there are too few prompts to hold some out.
    """
    tell = progress or _silent
    known = _Profiles(profile_of)
    training = training_set(
        outcomes, features, model_id=known.id_of, progress=lambda done, of: tell("reading prompts", done, of)
    )
    profiles = [known.by_id[model] for model in training.models]
    side = ModelSide.of(profiles, prior)
    training = replace(training, profile_features=side.standard)
    tell(_JUDGING, 0, 1)
    tables = tuple(dense_tables(training, outcomes, known.ids)) if ensembles else ()
    judged = judge(training, side, seed)
    speaks_for_all = bool(tables) and len(tables[0].named.group) == len(training.group)
    held_out = {**judged.report, **(tables[0].held_out(seed) if speaks_for_all else {})}
    tell(_JUDGING, 1, 1)
    tell(_FITTING, 0, 1 + len(tables))
    fit = _fit(training, side, judged, prior=prior, seed=seed)
    own = tuple(_fit_tables(tables, tell))
    manifest = {
        "features": features.name,
        "n_outcomes": int(np.isfinite(training.score).sum()),
        "n_prompts": len(training.features),
        "seed": seed,
        "held_out": held_out,
        "releases": releases_of(profiles),
        **(provenance or {}),
    }
    return QualityModel.from_fit(fit, manifest=manifest, ensembles=own)


class _Profiles:
    """The profiles that outcomes were found to be of."""

    def __init__(self, profile_of: Callable[[str | None, str], ModelProfile]) -> None:
        self._profile_of = profile_of
        self.by_id: dict[str, ModelProfile] = {}
        self.ids: dict[tuple[str | None, str], str] = {}  # of (dataset, name)

    def id_of(self, dataset: str | None, name: str) -> str:
        profile = self._profile_of(dataset, name)
        self.by_id.setdefault(profile.id, profile)
        self.ids[dataset, name] = profile.id
        return profile.id


def _fit(training: TrainingSet, side: ModelSide, judged: Judgement, *, prior: AbilityPrior, seed: int) -> QualityFit:
    """On all prompts, with the calibration and the errors that the judged one showed."""
    fitted = factorized(training, seed)
    rescale(fitted, judged.platt)
    tried = tried_of(fitted, training, judged.placing)
    sample = spread_over_domains(training.domain, min(_N_SAMPLE, len(training.features)), np.random.default_rng(seed))
    return QualityFit(
        factorization=fitted,
        models=training.models,
        heads=heads_of(fitted, training),
        support=tried.support,
        gap=tried.gap,
        sample=training.features[sample],
        prior=prior,
        profile_centre=side.centre,
        profile_scale=side.scale,
        placing=judged.placing,
        newest_year=side.newest_year,
        known_sd=judged.known_sd,
        prompt_sd=judged.known_sd,  # what held-out prompts show is the error of both, and does not tell them apart
    )


def _fit_tables(tables: Sequence[DenseTable], tell: Progress) -> Iterator[TableEnsemble]:
    of = 1 + len(tables)  # the model for everybody came first
    for done, table in enumerate(tables, start=1):
        tell(_FITTING, done, of)
        yield table.fitted()
    tell(_FITTING, of, of)


def _silent(_what: str, _done: int, _of: int) -> None:
    """Tell nobody."""
