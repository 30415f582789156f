"""From a table of outcomes to the matrices that predictors learn from."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from catalog import Floats

from .errors import InvalidOutcomesError
from .folds import group_folds
from .outcomes import Outcomes
from .quality.protocol import Matrix, TrainingSet

if TYPE_CHECKING:
    import polars as pl

__all__ = ["FeatureExtractor", "group_folds", "scores_by_name", "training_set"]


class FeatureExtractor(Protocol):
    """Turns prompts into the numbers that quality is predicted from (predictors.features.Features)."""

    @property
    def name(self) -> str:
        """Names the encoder and the surface features; a saved predictor is bound to it."""
        ...

    @property
    def n_surface(self) -> int:
        """How many of the last columns are surface features, the others being an encoding."""
        ...

    def extract(self, texts: Sequence[str]) -> Matrix:
        """Features of every text, shape (n_texts, dim)."""
        ...


def training_set(
    outcomes: Outcomes,
    features: FeatureExtractor,
    *,
    model_id: Callable[[str | None, str], str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TrainingSet:
    """Outcomes in matrix form: prompts in order of their ids, models in order of their names.

    Args:
        outcomes: several outcomes of one (prompt, model) pair are averaged.
        features: reads each distinct prompt once.
        model_id: the catalog id of (dataset, name); None keeps the names of the table.
        progress: called with (prompts done, prompts in all).

    Raises:
        InvalidOutcomesError: two prompts share one prompt_id.
    """
    table = outcomes.table
    prompts = _prompts(table)
    clash = table.select("dataset", "prompt_id", "prompt").unique().height - prompts.height
    if clash:
        raise InvalidOutcomesError(f"{clash} prompt_id(s) stand for several prompts; make them unique or drop them")
    models, score = _scores(table, prompts, model_id or _name)
    return TrainingSet(
        features=_extract(features, prompts["prompt"].to_list(), progress),
        score=score,
        models=models,
        domain=np.array([_domain(*row) for row in prompts.select("dataset", "benchmark", "domain").iter_rows()]),
        group=np.array(prompts["group_key"].to_list(), dtype=np.str_),
        n_surface=features.n_surface,
    )


def scores_by_name(outcomes: Outcomes) -> tuple[tuple[str, ...], Matrix]:
    """Every model as the table writes it: names, and scores (n_prompts, n_names) of the prompts of `training_set`."""
    return _scores(outcomes.table, _prompts(outcomes.table), _name)


def _name(_dataset: str | None, name: str) -> str:
    return name


def _prompts(table: "pl.DataFrame") -> "pl.DataFrame":
    distinct = table.unique(subset=["dataset", "prompt_id"], keep="first", maintain_order=True)
    return distinct.sort("dataset", "prompt_id", nulls_last=False).with_row_index("_row")


def _scores(
    table: "pl.DataFrame", prompts: "pl.DataFrame", column_of: Callable[[str | None, str], str]
) -> tuple[tuple[str, ...], Matrix]:
    """Columns in the order of what they are called, and the mean score of each prompt in each."""
    import polars as pl  # noqa: PLC0415  # heavy, and needed only by those who train

    pairs = table.select("dataset", "model").unique().sort("dataset", "model")
    called = [column_of(dataset, name) for dataset, name in pairs.iter_rows()]
    columns = tuple(sorted(set(called)))
    at = {column: j for j, column in enumerate(columns)}
    pairs = pairs.with_columns(pl.Series("_column", [at[column] for column in called], dtype=pl.Int64))
    cells = (
        table.join(prompts.select("dataset", "prompt_id", "_row"), on=["dataset", "prompt_id"], nulls_equal=True)
        .join(pairs, on=["dataset", "model"], nulls_equal=True)
        .group_by("_row", "_column")
        .agg(pl.col("score").mean())
    )
    score = np.full((prompts.height, len(columns)), np.nan)  # (n_prompts, n_columns)
    score[cells["_row"].to_numpy(), cells["_column"].to_numpy()] = cells["score"].to_numpy()
    return columns, score


_BATCH = 512


def _extract(features: FeatureExtractor, prompts: Sequence[str], progress: Callable[[int, int], None] | None) -> Matrix:
    blocks: list[Floats] = []
    for start in range(0, len(prompts), _BATCH):
        blocks.append(np.asarray(features.extract(prompts[start : start + _BATCH]), dtype=np.float64))
        if progress:
            progress(min(start + _BATCH, len(prompts)), len(prompts))
    return np.concatenate(blocks)  # (n_prompts, dim)


def _domain(dataset: str | None, benchmark: str | None, domain: str | None) -> str:
    named = [part for part in (dataset, benchmark, domain) if part]
    return "/".join(named) or "all"
