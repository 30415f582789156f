"""Which benchmark scores abilities are computed from, and which model's abilities a profile gets."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from catalog.capability.ability import Score
from catalog.profiles.profile import Ability, ModelProfile
from catalog.profiles.provenance import Provenance, Trust

from .tables import read_table

__all__ = ["ABILITY_LEFT_OUT", "ABILITY_SOURCES", "best_measured", "read_scores", "with_ability"]

ABILITY_SOURCES = ("epoch", "llm-stats", "bfcl", "aider", "wildbench", "arena_hard", "models.dev", "every_eval_ever/*")
ABILITY_LEFT_OUT = (  # aggregates of tests that count by themselves, tests of sight, of judging, and of refusing
    "*_overall", "*mean_score", "*mean_win_rate", "*index*", "reward_bench_*", "*_relevance", "*_irrelevance",
    "*civilcomments", "*imdb", "*ms_marco*", "*xsum", "*cnn_dailymail", "wildbench_*reward*", "mmmu*", "chartqa",
    "docvqa", "ai2d", "textvqa", "mathvista", "*vpct", "livebench", "*lambada", "*balrog", "*metr",
)  # fmt: skip
_ABILITY = Provenance(source="our factor model over public benchmarks", trust=Trust.INFERRED)


def read_scores(data: Path, *, sources: Sequence[str] = ABILITY_SOURCES) -> list[Score]:
    """The benchmark scores that abilities may be computed from, models by key."""
    import polars as pl  # noqa: PLC0415 - only the compile step reads tables

    table = read_table(data / "catalog" / "benchmarks.parquet").filter(
        (
            pl.col("source").is_in([s for s in sources if "*" not in s])
            | pl.col("source").str.starts_with("every_eval_ever/")
        )
        & ~pl.col("metric").str.contains("elo")
        & pl.col("score").is_between(0, 1)
    )
    return [
        Score(model=key, benchmark=benchmark, score=score, n=n, self_reported=bool(claimed))
        for key, benchmark, score, n, claimed in table.select(
            "model_key", "benchmark", "score", "n", "self_reported"
        ).rows()
    ]


def best_measured(
    key: str, abilities: Mapping[str, Mapping[str, Ability]], siblings: Mapping[str, Sequence[str]]
) -> str:
    """The key itself where it has benchmarks of its own; else the snapshot or preview of it that has the most.

    A dated snapshot never borrows: people name it because it differs.
    """
    if re.search(r"-\d{4,8}$", key):
        return key
    measured = [sibling for sibling in (key, *siblings.get(key, ())) if sibling in abilities]
    if key in abilities and abilities[key]["general"].n_benchmarks >= 5:
        return key
    return max(measured, key=lambda k: (abilities[k]["general"].n_benchmarks, k), default=key)


def with_ability(profile: ModelProfile, ability: Mapping[str, Ability]) -> ModelProfile:
    """The profile with its abilities; unchanged where there are none."""
    if not ability:
        return profile
    provenance = MappingProxyType({**profile.provenance, "ability": _ABILITY})
    return replace(profile, ability=MappingProxyType(dict(ability)), provenance=provenance)
