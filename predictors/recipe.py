"""How a quality model is made from outcomes and profiles: the one that is shipped, and anyone's own.

`fit_quality_model` judges a factorization on a held-out fold (`_judge`: calibration, errors, how new models are
placed), fits it on everything, adds residual heads and what each model was tried on, and for dense tables an ensemble
(`_dense_tables`). Which public datasets may be shipped stands first. docs/quality.md has the steps.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from catalog import Floats, ModelProfile

from .errors import InvalidOutcomesError
from .folds import group_folds
from .outcomes import Outcomes
from .quality.calibration import PlattScaling, excess_logit_sd, expected_calibration_error
from .quality.cold_start import DATE, AbilityPrior, facts_of, profile_features
from .quality.ensemble import StackedEnsemble
from .quality.factorization import LogisticFactorization, sigmoid
from .quality.familiarity import Familiarity, spread_over_domains
from .quality.heads import residual_heads
from .quality.imputation import best_single
from .quality.model import QualityModel
from .quality.own import TableEnsemble
from .quality.placing import Placing, learn_placing
from .quality.protocol import Matrix, TrainingSet
from .quality.recognition import tasks_of
from .quality.support import Places, coverage, usual_gap
from .training import FeatureExtractor, scores_by_name, training_set

__all__ = [
    "SHIPPED_DATASETS",
    "UNFIT_BENCHMARKS",
    "Progress",
    "fit_quality_model",
    "library_versions",
    "releases_of",
    "shipped_outcomes",
    "single_threaded",
]

Progress = Callable[[str, int, int], None]  # (what, done, of)

# The routing datasets whose licences allow shipping what was learned from them.
SHIPPED_DATASETS: Final = {
    "arena_bench_v1": "Apache-2.0",
    "llmrouter": "MIT",
    "mmlu_pro": "Apache-2.0 (questions MIT)",
    "routellm": "Apache-2.0",
    "zeroeval": "Apache-2.0 (GSM8K, MATH: MIT)",
}
# Scored by word overlap with one reference answer: a 70B model "fails" four in five trivia questions there, which
# tells a router of today that easy questions are hard. Left out of what is shipped, kept in every cross-validation.
UNFIT_BENCHMARKS: Final = ("commongen", "natural_qa", "trivia_qa")

_N_FOLDS: Final = 5
_N_SAMPLE: Final = 512
_MIN_LOGIT_SD: Final = 0.1
_NEWEST: Final = 0.95  # of the dated models are older
# An ensemble fills in what was not tried. Where most cells are filled in (many tables pooled, a journal) it would learn
# from its own guesses, and the factorization, which needs none, is the better one.
_DENSE: Final = 0.5
_MIN_ENSEMBLE_PROMPTS: Final = 100
# Several sets ask the same kinds of question: a kind that is hidden is still known from its siblings, so that novelty
# tells less here than within one set and a smaller share of the known prompts may fall under suspicion.
_TRUSTED: Final = 0.05


def shipped_outcomes(data: Path) -> Outcomes:
    """The outcomes that the shipped model is fitted on, from the folder of public datasets.

    Raises:
        InvalidOutcomesError: a dataset is missing.
    """
    import polars as pl  # noqa: PLC0415  # heavy, and needed only to fit

    outcomes = Outcomes.read(data / "routing" / name / "outcomes.parquet" for name in sorted(SHIPPED_DATASETS))
    kept = outcomes.table.filter(~pl.col("benchmark").is_in(list(UNFIT_BENCHMARKS)))
    return Outcomes(table=kept)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Sums in one order, so that one core and many give the same bytes."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415

    for name in ("scipy.linalg", "sklearn.linear_model"):  # the limit binds only what is loaded when it is set
        import_module(name)
    with threadpool_limits(limits=1):
        yield


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
    profiles: dict[str, ModelProfile] = {}
    ids: dict[tuple[str | None, str], str] = {}

    def model_id(dataset: str | None, name: str) -> str:
        profile = profile_of(dataset, name)
        profiles.setdefault(profile.id, profile)
        ids[dataset, name] = profile.id
        return profile.id

    training = training_set(
        outcomes, features, model_id=model_id, progress=lambda done, of: tell("reading prompts", done, of)
    )
    side = _ModelSide.of([profiles[m] for m in training.models], prior)
    training = replace(training, profile_features=side.standard)
    tell("judging on held-out prompts", 0, 1)
    tables = tuple(_dense_tables(training, outcomes, ids)) if ensembles else ()
    speaks_for_all = bool(tables) and len(tables[0].named.group) == len(training.group)
    judged = _judge(training, side, seed)
    report = {**judged.report, **(tables[0].held_out(seed) if speaks_for_all else {})}
    tell("judging on held-out prompts", 1, 1)
    tell("fitting on all prompts", 0, 1 + len(tables))
    fitted = _factorization(training, seed).fit(training)
    _rescale(fitted, judged.platt)
    heads, tried = _heads(fitted, training), _tried(fitted, training, judged.placing)
    own = tuple(_fit_tables(tables, tell))
    sample = spread_over_domains(training.domain, min(_N_SAMPLE, len(training.features)), np.random.default_rng(seed))
    return QualityModel.from_fit(
        fitted,
        heads=heads,
        support=tried.support,
        gap=tried.gap,
        models=training.models,
        features=training.features[sample],
        prior=prior,
        profile_centre=side.centre,
        profile_scale=side.scale,
        errors={
            "known_sd": judged.known_sd,
            "prompt_sd": judged.known_sd,
        },
        placing=judged.placing,
        newest_year=_newest(side.years),
        manifest={
            "features": features.name,
            "n_outcomes": int(np.isfinite(training.score).sum()),
            "n_prompts": len(training.features),
            "seed": seed,
            "held_out": report,
            "releases": releases_of([profiles[m] for m in training.models]),
            **(provenance or {}),
        },
        ensembles=own,
    )


def _fit_tables(tables: Sequence["_Table"], tell: Progress) -> Iterator[TableEnsemble]:
    of = 1 + len(tables)  # the model for everybody came first
    for done, table in enumerate(tables, start=1):
        tell("fitting on all prompts", done, of)
        yield table.fitted()
    tell("fitting on all prompts", of, of)


def releases_of(profiles: Sequence[ModelProfile]) -> dict[str, str]:
    """Undated model names, each with the newest of its dated releases among these: the best known stand-in for it."""
    newest: dict[str, ModelProfile] = {}
    for profile in profiles:
        if profile.snapshot_of is not None:
            known = newest.get(profile.snapshot_of)
            if known is None or (profile.released or date.min) > (known.released or date.min):
                newest[profile.snapshot_of] = profile
    return {name: newest[name].id for name in sorted(newest)}


def library_versions() -> dict[str, str]:
    """The libraries whose arithmetic a fit depends on."""
    return {name: version(name) for name in ("numpy", "scikit-learn", "scipy")}


@dataclass(frozen=True, slots=True, kw_only=True)
class _ModelSide:
    standard: npt.NDArray[np.float64]  # (n_models, n_profile)
    centre: Floats
    scale: Floats
    owner: tuple[str, ...]  # (n_models,)
    years: Floats  # (n_models,) of release, since 2023, NaN where unknown

    @classmethod
    def of(cls, profiles: list[ModelProfile], prior: AbilityPrior) -> "_ModelSide":
        values = profile_features(profiles, prior).values
        scale = values.std(axis=0)
        scale = np.where(scale > 1e-6, scale, 1.0)
        centre = values.mean(axis=0)
        return cls(
            standard=(values - centre) / scale,
            centre=centre,
            scale=scale,
            owner=tuple(profile.owner for profile in profiles),
            years=np.array([facts_of(profile)[DATE] for profile in profiles]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judgement:
    """What predictions for held-out prompts were worth."""

    platt: PlattScaling
    known_sd: float
    placing: Placing
    report: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    """What models were tried on, and what that says of all else (`quality.support`)."""

    support: Matrix  # (n_topics, n_models)
    gap: Floats  # (n_models,)


def _rescale(fitted: LogisticFactorization, platt: PlattScaling) -> None:
    """The prompt's side and the strengths times the slope, and the shift onto the overall level."""
    fitted.weights_ *= platt.slope
    for strengths in (fitted.profile_map_, fitted.deviation_, fitted.vectors_):
        strengths[:, 0] *= platt.slope
    fitted.profile_map_[0, 0] += platt.shift
    fitted.vectors_[:, 0] += platt.shift


def _heads(fitted: LogisticFactorization, training: TrainingSet) -> Matrix:
    coordinates = fitted.basis.transform(training.features)
    return residual_heads(coordinates, training.score, sigmoid(fitted.logits(coordinates, fitted.vectors_)))


def _tried(fitted: LogisticFactorization, training: TrainingSet, placing: Placing) -> _Tried:
    tried = np.isfinite(training.score)  # (n_prompts, n_models)
    coordinates = fitted.basis.transform(training.features)
    topics = fitted.basis.topics.predict(fitted.basis.standard(training.features))
    at_their_places = _places(fitted, placing, gap=np.zeros(len(training.models)))
    gap = usual_gap(at_their_places.own_ways(coordinates @ fitted.weights_), tried, tasks_of(training.domain))
    return _Tried(support=coverage(topics, tried), gap=gap)


def _places(fitted: LogisticFactorization, placing: Placing, *, gap: Floats) -> Places:
    own, everybody = fitted.vectors_, np.ones(len(fitted.vectors_), dtype=np.bool_)
    return Places.of(own, own - fitted.deviation_, placing, tried=everybody, gap=gap)


def _judge(training: TrainingSet, side: _ModelSide, seed: int) -> _Judgement:
    fold = group_folds(training.group, _N_FOLDS, seed)
    held_out = fold == 0
    if not held_out.any() or held_out.all():
        raise InvalidOutcomesError("too few different prompts to hold some out; give outcomes on at least 20 prompts")
    inside = training.only(~held_out)
    fitted = _factorization(training, seed).fit(inside)
    coordinates = fitted.basis.transform(training.features[held_out])
    logits = fitted.logits(coordinates, fitted.vectors_)
    score = training.score[held_out]
    tried = np.isfinite(score)
    platt = PlattScaling.fit(logits[tried], score[tried])
    _rescale(fitted, platt)
    prompts = coordinates @ fitted.weights_  # (n_held_out, k)
    rows = np.concatenate([np.ones((len(side.standard), 1)), side.standard], axis=1)  # (n_models, 1 + n_profile)
    placing = learn_placing(
        vectors=fitted.vectors_, rows=rows, side=prompts, score=score, owner=side.owner, years=side.years
    )
    topics = fitted.basis.topics.predict(fitted.basis.standard(training.features[held_out]))
    known = _tried(fitted, inside, placing)
    support = topics @ known.support  # (n_held_out, n_models)
    logits = _places(fitted, placing, gap=known.gap).logits(prompts, support)
    expected = np.clip(sigmoid(logits) + support * (coordinates @ _heads(fitted, inside)), 0.0, 1.0)
    per_model = [excess_logit_sd(expected[tried[:, m], m], score[tried[:, m], m]) for m in np.flatnonzero(tried.any(0))]
    known_sd = max(float(np.sqrt(np.mean(np.square(per_model)))), _MIN_LOGIT_SD)
    report = _report(expected, score, means=fitted.global_mean_, best=best_single(inside.score))
    return _Judgement(
        platt=platt, known_sd=known_sd, placing=placing, report={**report, "platt_slope": _rounded(platt.slope)}
    )


def _report(expected: Matrix, score: Matrix, *, means: Floats, best: int) -> dict[str, float]:
    """What expected scores of held-out prompts were worth, beside the models' means and the best single model."""
    tried = np.isfinite(score)
    report = {
        "n_outcomes": int(tried.sum()),
        "brier": _rounded(np.mean((expected - score)[tried] ** 2)),
        "brier_of_model_means": _rounded(np.mean((np.broadcast_to(means, score.shape) - score)[tried] ** 2)),
        "calibration_error": _rounded(expected_calibration_error(expected[tried], score[tried])),
    }
    if tried.all():
        choice = expected.argmax(axis=1)
        report["score_of_choice"] = _rounded(score[np.arange(len(score)), choice].mean())
        report["score_of_best_single"] = _rounded(score[:, best].mean())
    return report


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """A dense table: its outcomes by the names that it uses, and the profile ids of these."""

    named: TrainingSet
    ids: tuple[str, ...]

    def fitted(self) -> TableEnsemble:
        return TableEnsemble(names=self.named.models, models=self.ids, ensemble=StackedEnsemble().fit(self.named))

    def held_out(self, seed: int) -> dict[str, float]:
        """What an ensemble of the other folds is worth on the first."""
        fold = group_folds(self.named.group, _N_FOLDS, seed)
        inside, score = self.named.only(fold != 0), self.named.score[fold == 0]
        expected = StackedEnsemble().fit(inside).predict(self.named.features[fold == 0]).mean
        return _report(expected, score, means=np.nanmean(inside.score, axis=0), best=best_single(inside.score))


def _dense_tables(
    training: TrainingSet, outcomes: Outcomes, ids: Mapping[tuple[str | None, str], str]
) -> Iterator[_Table]:
    """All outcomes together if most models answered most prompts, else each dataset of which that holds.

    Here every name is a model of its own: configurations of one model differ by more than routing gains.
    """
    names, score = scores_by_name(outcomes)
    named = replace(training, models=names, score=score, profile_features=None)
    if _is_dense(named):
        by_name = {name: model for (_, name), model in ids.items()}
        yield _Table(named=named, ids=tuple(by_name[name] for name in names))
        return
    of = np.char.partition(named.domain, "/")[:, 0]  # (n_prompts,)
    for dataset in dict.fromkeys(dataset for dataset, _ in ids if dataset):
        rows = named.only(of == dataset)
        tried = [i for i, name in enumerate(names) if (dataset, name) in ids]
        table = replace(rows, score=rows.score[:, tried], models=tuple(names[i] for i in tried))
        if len(tried) > 1 and _is_dense(table):
            yield _Table(named=table, ids=tuple(ids[dataset, name] for name in table.models))


def _is_dense(training: TrainingSet) -> bool:
    return len(training.score) >= _MIN_ENSEMBLE_PROMPTS and float(np.isfinite(training.score).mean()) >= _DENSE


def _factorization(training: TrainingSet, seed: int) -> LogisticFactorization:
    familiarity = Familiarity(trusted=_TRUSTED, seed=seed)
    return LogisticFactorization(n_traits=min(6, len(training.models)), seed=seed, familiarity=familiarity)


def _newest(years: Floats) -> float:
    """When all but the last few models were out, infinite if nobody says: undated names may bear a later date."""
    dated = years[np.isfinite(years)]
    return float(np.quantile(dated, _NEWEST)) if len(dated) else float("inf")


def _rounded(value: float | np.floating[Any]) -> float:
    return round(float(value), 5)


def _silent(_what: str, _done: int, _of: int) -> None:
    """Tell nobody."""
