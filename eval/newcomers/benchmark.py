"""A routing benchmark beside profiles that have not seen it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from catalog import Floats, ModelProfile
from catalog.compile import ABILITY_SOURCES, compile_catalog, curated_profiles
from catalog.importers.litellm_prices import PriceMap
from eval.errors import MissingDataError, UnknownDatasetError
from predictors.encoders import open_encoder
from predictors.features import Features
from predictors.outcomes import Outcomes
from predictors.quality.placement.cold_start import AbilityPrior, profile_features
from predictors.quality.protocol import Matrix, TrainingSet
from predictors.training import training_set

__all__ = ["EVERY_SOURCE", "OWN_FIGURES", "RELATIVES", "Benchmark", "read_benchmark"]

# What profiles must not have seen: the benchmark by any name, its translations, its subsets. Indices that contain it
# are never part of an ability (catalog.compile.ABILITY_LEFT_OUT).
OWN_FIGURES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "mmlu_pro": ("*mmlu_pro*", "*mmlu-pro*"),
        "zeroeval": ("*gsm*", "math", "math-*", "*_math", "*math_level_5", "functionalmath", "livebench_math*"),
        "bfcl_2024_08": ("*bfcl*",),
    }
)
# The stricter reading: nothing of the kind at all.
RELATIVES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "mmlu_pro": ("*mmlu*",),
        "zeroeval": ("*gsm*", "*math*", "*aime*", "*hmmt*"),
        "bfcl_2024_08": ("*bfcl*", "tau*"),
    }
)
# Every table of public scores, those included whose licence lets nobody ship what follows from them.
EVERY_SOURCE = (
    *ABILITY_SOURCES,
    "open_llm_leaderboard_v1",
    "open_llm_leaderboard_v2",
    "artificial_analysis",
    "livebench",
    "vectara",
    "nyt_connections",
    "alpaca_eval",
)
_MIN_TRIED = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """Outcomes of the models, and what their profiles say."""

    name: str
    training: TrainingSet  # models by profile id; `profile_features` standardised over these models
    profiles: tuple[ModelProfile, ...]  # one per model
    known: Matrix  # (n_models, n_features) of predictors.quality.placement.cold_start, as they are
    general_se: Floats  # (n_models,) error of the general ability

    @property
    def mean_score(self) -> Floats:
        """Of each model over the prompts it was tried on, (n_models,)."""
        mean: Floats = np.nanmean(self.training.score, axis=0)
        return mean


def read_benchmark(
    name: str,
    *,
    data: Path,
    exclude: tuple[str, ...] | None = None,
    sources: tuple[str, ...] = ABILITY_SOURCES,
    prices: PriceMap,
) -> Benchmark:
    """Outcomes with profiles whose abilities were estimated anew, without the benchmark.

    Args:
        name: of the routing dataset.
        data: folder of the public datasets.
        exclude: patterns of benchmarks that abilities must not see; default: `OWN_FIGURES`.
        sources: of the scores that abilities come from.
        prices: of models, a weak hint of ability where nothing was measured.

    Raises:
        UnknownDatasetError: nobody has said what this dataset's own figures are.
        MissingDataError: its files are not under `data`.
    """
    if name not in OWN_FIGURES:
        raise UnknownDatasetError(name, known=tuple(OWN_FIGURES))
    path = data / "routing" / name / "outcomes.parquet"
    if not path.is_file():
        raise MissingDataError(path=str(path))
    left_out = OWN_FIGURES[name] if exclude is None else exclude
    built = compile_catalog(data, prices=prices, curated=curated_profiles(), exclude=left_out, ability_sources=sources)
    by_id = {profile.id: profile for profile in built.profiles}
    listed = built.routing.get(name, {})
    found: dict[str, ModelProfile] = {}

    def model_id(_dataset: str | None, model: str) -> str:
        profile = by_id.get(listed.get(model, "")) or ModelProfile(id=f"unlisted/{model.replace('/', '-')}", name=model)
        found[profile.id] = profile
        return profile.id

    training = training_set(Outcomes.read([path]), Features(open_encoder("static")), model_id=model_id)
    return _benchmark(name, training, found, AbilityPrior().fit(built.profiles))


def _benchmark(name: str, training: TrainingSet, found: Mapping[str, ModelProfile], prior: AbilityPrior) -> Benchmark:
    tried = np.isfinite(training.score).mean(axis=0) > _MIN_TRIED
    models = tuple(model for model, kept in zip(training.models, tried, strict=True) if kept)
    profiles = tuple(found[model] for model in models)
    known = profile_features(profiles, prior)
    centred = known.values - known.values.mean(axis=0)
    scale = known.values.std(axis=0)
    kept = TrainingSet(
        features=training.features,
        score=training.score[:, tried],
        models=models,
        domain=training.domain,
        group=training.group,
        profile_features=centred / np.where(scale > 1e-6, scale, 1.0),
    )
    return Benchmark(name=name, training=kept, profiles=profiles, known=known.values, general_se=known.general_se)
