"""Outcomes as matrices beside a pool of candidates: what is replayed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from catalog import Floats, ModelProfile, Pool, PoolEntry
from eval.errors import InvalidReplayError
from predictors.outcomes import Outcomes

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Bools", "Ints", "ReplayTable"]

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Strings = npt.NDArray[np.str_]

_PROMPT = ("prompt_id", "dataset")  # what tells prompts apart: datasets may number theirs alike
_SINGLE_MODEL_COVERAGE = 0.95  # a model that answered fewer prompts is no candidate for "best single model"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayTable:
    """One row per prompt, one column per candidate of the pool; NaN where a pair was not tried."""

    name: str
    pool: Pool
    models: tuple[str, ...]  # names as the source writes them, one per candidate
    prompt_id: Strings  # (n_prompts,)
    prompt: tuple[str, ...]
    group: Strings  # (n_prompts,): split on this, never on rows
    benchmark: Strings  # (n_prompts,)
    domain: Strings  # (n_prompts,): "benchmark/domain", what a per-domain rule may look at
    score: Floats  # (n_prompts, n_models), in [0, 1]
    cost_usd: Floats  # (n_prompts, n_models)
    note: str = ""  # what was assumed of it or left out

    @classmethod
    def from_outcomes(
        cls,
        outcomes: Outcomes,
        *,
        name: str,
        profiles: Mapping[str, ModelProfile] | None = None,
        note: str = "",
    ) -> "ReplayTable":
        """Lay outcomes out as matrices.

        Models whose cost is known nowhere are left out, and the note says so: no cost-quality trade can be judged on
        them. A call without a cost counts at its model's mean cost.

        Args:
            outcomes: one row per prompt and model; repeated pairs are averaged.
            name: what the table is called in reports.
            profiles: of the models, by name; a model without one gets a bare profile.
            note: what was assumed so far.

        Raises:
            InvalidReplayError: there are fewer than two models, fewer than two have a cost, or prompts share an id.
        """
        import polars as pl  # noqa: PLC0415  # heavy, and needed only by those who replay

        clash = outcomes.table.group_by(_PROMPT).agg(pl.col("prompt").n_unique()).filter(pl.col("prompt") > 1)
        if clash.height:
            raise InvalidReplayError(
                f"{name}: prompt_id {clash['prompt_id'].min()!r} stands for several prompts (as do {clash.height - 1} "
                "others); make them unique, or leave the column out"
            )
        cells = outcomes.table.group_by(*_PROMPT, "model").agg(
            pl.col("prompt", "group_key", "benchmark", "domain").first(), pl.col("score", "cost_usd").mean()
        )
        models, unpriced = _split_by_cost(cells, name)
        cells = cells.filter(pl.col("model").is_in(models))
        prompts = cells.unique(_PROMPT, keep="any").sort(_PROMPT)
        row = {key: i for i, key in enumerate(prompts.select(_PROMPT).iter_rows())}
        column = {key: j for j, key in enumerate(models)}
        at = (
            np.array([row[key] for key in cells.select(_PROMPT).iter_rows()]),
            np.array([column[key] for key in cells["model"].to_list()]),
        )
        score, cost = np.full((2, len(row), len(models)), np.nan)  # (n_prompts, n_models) each
        score[at], cost[at] = cells["score"].to_numpy(), cells["cost_usd"].to_numpy()
        benchmark = np.array(prompts["benchmark"].fill_null(name).to_list(), dtype=np.str_)
        domain = np.array(prompts["domain"].fill_null("").to_list(), dtype=np.str_)
        return cls(
            name=name,
            pool=Pool(PoolEntry(profile=_profile(m, name, profiles or {}), called=m) for m in models),
            models=models,
            prompt_id=np.array(prompts["prompt_id"].to_list(), dtype=np.str_),
            prompt=tuple(prompts["prompt"].to_list()),
            group=np.array(prompts["group_key"].to_list(), dtype=np.str_),
            benchmark=benchmark,
            domain=np.char.add(np.char.add(benchmark, "/"), domain),
            score=score,
            cost_usd=_cost_of_tried(score, cost),
            note="; ".join(filter(None, (note, _left_out(unpriced), _patchy(score)))),
        )

    def __len__(self) -> int:
        return len(self.prompt)

    @property
    def tried(self) -> Bools:
        """Whether a pair has an outcome, shape (n_prompts, n_models)."""
        return ~np.isnan(self.score)

    @property
    def covering(self) -> Bools:
        """Models that answered nearly all prompts, shape (n_models,); all of them where none did."""
        covers = self._covers
        return covers if covers.any() else np.ones_like(covers)

    @property
    def has_covering(self) -> bool:
        """Whether any model answered nearly all prompts."""
        return bool(self._covers.any())

    @property
    def _covers(self) -> Bools:
        covers: Bools = self.tried.mean(axis=0) >= _SINGLE_MODEL_COVERAGE
        return covers

    def only(self, models: Bools) -> "ReplayTable":
        """Some of the models (n_models,), and the prompts that at least one of them was tried on.

        Raises:
            InvalidReplayError: fewer than two models are left.
        """
        index = np.flatnonzero(models)
        if len(index) < 2:
            raise InvalidReplayError(f"{self.name}: {len(index)} models are left to choose from; a router needs two")
        part = replace(
            self,
            pool=self.pool.select([int(i) for i in index]),
            models=tuple(self.models[i] for i in index),
            score=self.score[:, index],
            cost_usd=self.cost_usd[:, index],
        )
        return part.take(np.flatnonzero(part.tried.any(axis=1)))

    def take(self, rows: Bools | Ints) -> "ReplayTable":
        """Some of the prompts, the same pool."""
        index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return ReplayTable(
            name=self.name,
            pool=self.pool,
            models=self.models,
            prompt_id=self.prompt_id[index],
            prompt=tuple(self.prompt[i] for i in index),
            group=self.group[index],
            benchmark=self.benchmark[index],
            domain=self.domain[index],
            score=self.score[index],
            cost_usd=self.cost_usd[index],
            note=self.note,
        )


def _split_by_cost(cells: "pl.DataFrame", name: str) -> tuple[tuple[str, ...], list[str]]:
    """The models of which a cost is known, sorted, and the others.

    Raises:
        InvalidReplayError: there are fewer than two models, or fewer than two have a cost.
    """
    import polars as pl  # noqa: PLC0415  # see `ReplayTable.from_outcomes`

    priced = cells.group_by("model").agg(pl.col("cost_usd").is_not_null().any().alias("is_priced"))
    models = tuple(sorted(priced.filter("is_priced")["model"].to_list()))
    if priced.height < 2:
        raise InvalidReplayError(
            f"{name}: all outcomes are of one model, {priced['model'][0]!r}; a router needs two to choose from"
        )
    if len(models) < 2:
        raise InvalidReplayError(
            f"{name}: {len(models)} of {priced.height} models have a cost; add a cost_usd column, a router cannot "
            "be judged without"
        )
    return models, priced.filter(~pl.col("is_priced"))["model"].to_list()


def _profile(model: str, source: str, profiles: Mapping[str, ModelProfile]) -> ModelProfile:
    if model in profiles:
        return profiles[model]
    return ModelProfile(id=model.strip() if "/" in model else f"{source}/{model}".strip(), name=model)


def _left_out(unpriced: list[str]) -> str:
    if not unpriced:
        return ""
    shown = ", ".join(sorted(unpriced)[:3]) + (", ..." if len(unpriced) > 3 else "")
    return f"{len(unpriced)} models without any cost are left out: {shown}"


def _patchy(score: Floats) -> str:
    if (~np.isnan(score)).mean(axis=0).max() >= _SINGLE_MODEL_COVERAGE:
        return ""
    return f"no model answered {_SINGLE_MODEL_COVERAGE:.0%} of the prompts: where it did not, another stands for it"


def _cost_of_tried(score: Floats, cost: Floats) -> Floats:
    """Costs where there is a score; a call of unknown cost gets its model's mean."""
    tried = ~np.isnan(score)
    mean = np.nanmean(np.where(tried, cost, np.nan), axis=0)  # (n_models,)
    return np.where(tried, np.where(np.isnan(cost), mean, cost), np.nan)
