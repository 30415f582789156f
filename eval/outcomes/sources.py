"""Where a replayed table comes from: a public dataset, a part of one in a file, or somebody's own file."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from catalog import ModelProfile
from catalog.registry import Catalog
from eval.benchmarks import DATASETS
from eval.errors import InvalidReplayError, UnknownDatasetError
from predictors.outcomes import Outcomes
from predictors.profiles import profile_of_outcome
from predictors.trained_questions import TrainedQuestions

from .profiles import catalog_profiles
from .table import ReplayTable

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_table", "unseen"]

_CHARS_PER_TOKEN = 4.0
_USUAL_OUTPUT_TOKENS = 200.0  # of every model alike, where a table keeps no lengths


def read_table(name: str, *, data: Path, catalog: Catalog | None = None) -> ReplayTable:
    """A public dataset by its name, or a file or folder of outcomes.

    Outcomes that say of what public dataset they are (`dataset`) are priced as that one is. Other models without any
    cost are priced by the catalog, list price times length; where that prices fewer than two, every call counts alike.
    The table's `note` tells what was assumed or left out.

    Args:
        name: of the dataset, or a path.
        data: the folder of the public datasets.
        catalog: says who the models are; a saved predictor knows models by their catalog ids.

    Raises:
        UnknownDatasetError: neither of the two.
        MissingDataError: a public dataset whose files are not under `data`.
    """
    if name in DATASETS:
        loaded = DATASETS[name].load(data)
        return _laid_out(loaded.outcomes, name, name, dict(loaded.profiles), catalog)
    if not Path(name).exists():
        raise UnknownDatasetError(name, known=tuple(DATASETS))
    outcomes, title = Outcomes.read([name]), Path(name).stem
    source = _dataset_of(outcomes) or title
    prices = data / "routing" / source / "models.parquet"
    if source in DATASETS and prices.exists():
        loaded = DATASETS[source].priced(outcomes.table, prices)
        return _laid_out(
            loaded.outcomes, title, source, dict(loaded.profiles), catalog, note="; ".join(outcomes.remarks)
        )
    priced, note = _priced(outcomes, source, catalog or Catalog.load())
    return _laid_out(priced, title, source, {}, catalog, note="; ".join((*outcomes.remarks, *([note] if note else ()))))


def unseen(table: ReplayTable, *predictors: Path) -> ReplayTable:
    """The prompts that none of these saved predictors was trained on; the note tells how many are left out.

    Raises:
        InvalidReplayError: none is left.
    """
    known = np.zeros(len(table), dtype=np.bool_)  # (n_prompts,)
    for folder in predictors:
        known |= TrainedQuestions.load(folder).among(table.prompt)
    if not known.any():
        return table
    if known.all():
        raise InvalidReplayError(
            f"{table.name}: the predictor was trained on all of its {len(table)} prompts; give it others, or train it "
            "without some of them (--hold-out 0.25), which are then judged"
        )
    told = f"{known.sum():,} of {len(table):,} prompts are left out, since the predictor was trained on them"
    return replace(table.take(~known), note="; ".join(filter(None, (table.note, told))))


def _laid_out(
    outcomes: Outcomes,
    title: str,
    source: str,
    profiles: Mapping[str, ModelProfile],
    catalog: Catalog | None,
    *,
    note: str = "",
) -> ReplayTable:
    if catalog is not None:
        profiles = catalog_profiles(outcomes.models, dataset=source, catalog=catalog, listed=profiles)
    return ReplayTable.from_outcomes(outcomes, name=title, profiles=profiles, note=note)


def _dataset_of(outcomes: Outcomes) -> str | None:
    """The one dataset that all rows name."""
    named = outcomes.table["dataset"].unique().to_list()
    return named[0] if len(named) == 1 else None


def _priced(outcomes: Outcomes, source: str, catalog: Catalog) -> tuple[Outcomes, str]:
    """The outcomes with a cost for all models that can be priced, and what was assumed for it."""
    import polars as pl  # noqa: PLC0415  # heavy, and needed only by those who replay

    unpriced = _without_cost(outcomes.table)
    if not unpriced:
        return outcomes, ""
    known = {name: profile_of_outcome(catalog, dataset=source, name=name).price for name in unpriced}
    rates = {name: price for name, price in known.items() if price is not None}
    length = pl.coalesce(pl.col("output_tokens"), pl.lit(_USUAL_OUTPUT_TOKENS))
    asked = pl.coalesce(pl.col("input_tokens"), pl.col("prompt").str.len_chars() / _CHARS_PER_TOKEN)
    per_input, per_output = (
        pl.col("model").replace_strict(
            {name: float(getattr(price, rate)) for name, price in rates.items()}, default=None, return_dtype=pl.Float64
        )
        for rate in ("input_usd_per_mtok", "output_usd_per_mtok")
    )
    estimate = (asked * per_input + length * per_output) / 1e6
    table = outcomes.table.with_columns(pl.coalesce("cost_usd", estimate).alias("cost_usd"))
    n_priced = table["model"].n_unique() - len(_without_cost(table))
    if n_priced < 2:
        alike = table.with_columns(pl.lit(1.0).alias("cost_usd"))
        return Outcomes(table=alike), "no two models have a known cost: every call counts as 1, so costs mean nothing"
    note = f"{len(rates)} models are priced by the catalog, list price times length" if rates else ""
    return Outcomes(table=table), note


def _without_cost(table: "pl.DataFrame") -> list[str]:
    """Models of which no call has a cost."""
    import polars as pl  # noqa: PLC0415

    found = table.group_by("model").agg(pl.col("cost_usd").is_null().all().alias("lacks")).filter("lacks")
    return sorted(found["model"].to_list())
