"""What every public dataset has in common: a licence, a table of outcomes, the models in it and what they charged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from catalog import ModelProfile, Price
from eval.errors import MissingDataError
from predictors.outcomes import Outcomes

if TYPE_CHECKING:
    import polars as pl

__all__ = ["BenchmarkTable", "PublicDataset"]

_CHARS_PER_TOKEN = 4.0  # the usual rule of thumb for English


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkTable:
    """Outcomes with a cost for every priced call, and a profile for every model in them."""

    outcomes: Outcomes
    profiles: Mapping[str, ModelProfile]  # by the model's name in the outcomes
    estimated_cost_share: float  # the share of rows whose cost the source does not state: estimated from lengths


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicDataset:
    """One public dataset of outcomes. Its files stay where they are; none is part of this project."""

    name: str
    source: str
    licence: str
    may_train_shipped: bool  # whether a predictor that ships may learn from it
    note: str = ""
    benchmarks: frozenset[str] | None = None  # the ones replayed; None: all
    # Length of an answer where the source keeps none, by benchmark; the same for every model, so that it weighs
    # prompts against each other but favours nobody.
    assumed_output_chars: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    stated_costs_only: bool = False  # leave out models whose cost the source never states
    weak_model: str | None = None  # of a pair, as published
    strong_model: str | None = None

    def load(self, data: Path) -> BenchmarkTable:
        """Read the dataset from `data`/routing/`name`.

        Raises:
            MissingDataError: the files are not there.
        """
        import polars as pl  # noqa: PLC0415  # heavy, and needed only by those who replay

        folder = data / "routing" / self.name
        for path in (folder / "outcomes.parquet", folder / "models.parquet"):
            if not path.exists():
                raise MissingDataError(path=str(path))
        return self.priced(pl.read_parquet(folder / "outcomes.parquet"), folder / "models.parquet")

    def priced(self, table: "pl.DataFrame", prices: Path) -> BenchmarkTable:
        """The dataset's rows, or some of them, with what their calls cost and who the models are.

        Args:
            table: outcomes as the dataset has them.
            prices: the dataset's `models.parquet`.
        """
        import polars as pl  # noqa: PLC0415 - as above

        models = pl.read_parquet(prices)
        if self.benchmarks is not None:
            table = table.filter(pl.col("benchmark").is_in(list(self.benchmarks)))
        if self.stated_costs_only:
            table = table.filter(pl.col("cost_usd").is_not_null().any().over("model"))
        known = table["cost_usd"].is_not_null().mean()
        table = self._with_cost(table, models)
        return BenchmarkTable(
            outcomes=Outcomes.from_table(table, source=self.name),
            profiles={row["model"]: self._profile(row) for row in models.iter_rows(named=True)},
            estimated_cost_share=1.0 - float(known) if isinstance(known, int | float) else 1.0,
        )

    def _with_cost(self, table: "pl.DataFrame", models: "pl.DataFrame") -> "pl.DataFrame":
        """Fill unknown costs by list price times length, four characters a token; unpriced models keep null."""
        import polars as pl  # noqa: PLC0415 - as above

        rates = models.select("model", "price_in_usd_per_mtok", "price_out_usd_per_mtok")
        assumed = pl.col("benchmark").replace_strict(
            dict(self.assumed_output_chars), default=None, return_dtype=pl.Float64
        )
        output_chars = pl.coalesce(pl.col("output_chars").cast(pl.Float64), assumed)
        if "prompt_chars" not in table.columns:
            table = table.with_columns(pl.col("prompt").str.len_chars().alias("prompt_chars"))
        if "output_chars" not in table.columns:
            table = table.with_columns(pl.lit(None, pl.Float64).alias("output_chars"))
        estimate = (
            pl.col("prompt_chars") * pl.col("price_in_usd_per_mtok") + output_chars * pl.col("price_out_usd_per_mtok")
        ) / (_CHARS_PER_TOKEN * 1e6)
        return table.join(rates, on="model", how="left", maintain_order="left").with_columns(
            pl.coalesce("cost_usd", estimate).alias("cost_usd"),
            pl.coalesce("input_tokens", pl.col("prompt_chars") / _CHARS_PER_TOKEN).alias("input_tokens"),
            pl.coalesce("output_tokens", output_chars / _CHARS_PER_TOKEN).alias("output_tokens"),
        )

    def _profile(self, row: Mapping[str, object]) -> ModelProfile:
        name = str(row["model"])
        rates = [row["price_in_usd_per_mtok"], row["price_out_usd_per_mtok"]]
        price = None
        if all(rate is not None for rate in rates):
            per_input, per_output = (Decimal(str(rate)) for rate in rates)
            price = Price(input_usd_per_mtok=per_input, output_usd_per_mtok=per_output)
        params = row["params_b"]
        return ModelProfile(
            id=f"{self.name}/{name.replace('/', '--')}",
            name=name,
            params_total_b=float(params) if isinstance(params, float) and params > 0 else None,
            price=price,
        )
