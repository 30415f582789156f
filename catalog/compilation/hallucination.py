"""How often a model invents: the one measure of risk whose licence lets it ship.

The share of summaries of given texts with a fact that the text does not hold, as a judge model finds, from Vectara's
leaderboard (Apache-2.0). Its editions differ in texts and judge, so only the latest counts; of several settings of a
model the worst does.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from catalog.profiles.profile import ModelProfile
from catalog.profiles.provenance import Provenance, Trust

from .rows import day_of
from .tables import read_table

__all__ = ["hallucination_rates", "with_hallucination"]

_EDITION = "vectara_hallucination_2025"


def hallucination_rates(data: Path, *, same: Mapping[str, str]) -> dict[str, tuple[float, Provenance]]:
    """Key -> rate and its source.

    Args:
        data: the folder of the tables.
        same: dated key -> the key that its weights go by.
    """
    import polars as pl  # noqa: PLC0415 - only the compile step reads tables

    rates: dict[str, tuple[float, Provenance]] = {}
    table = read_table(data / "catalog" / "benchmarks.parquet").filter(pl.col("benchmark") == _EDITION)
    for model, score, day in table.select("model_key", "score", "source_date").sort("model_key", "score").rows():
        source = Provenance(
            source="vectara hallucination leaderboard, 2025 edition; number of texts and error not stated",
            trust=Trust.LINKED,
            recorded=day_of(day),
        )
        rates.setdefault(same.get(model, model), (round(1.0 - score, 4), source))  # the worst comes first
    return rates


def with_hallucination(profile: ModelProfile, rates: Mapping[str, tuple[float, Provenance]]) -> ModelProfile:
    """The profile with its rate; unchanged where the leaderboard does not list it."""
    found = rates.get(profile.id.partition("/")[2])
    if found is None:
        return profile
    rate, source = found
    provenance = MappingProxyType({**profile.provenance, "hallucination_rate": source})
    return replace(profile, hallucination_rate=rate, provenance=provenance)
