"""What the shipped model is fitted on."""

from pathlib import Path
from typing import Final

from predictors.outcomes import Outcomes

__all__ = ["SHIPPED_DATASETS", "UNFIT_BENCHMARKS", "shipped_outcomes"]

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


def shipped_outcomes(data: Path) -> Outcomes:
    """The outcomes that the shipped model is fitted on, from the folder of public datasets.

    Raises:
        InvalidOutcomesError: a dataset is missing.
    """
    import polars as pl  # noqa: PLC0415  # heavy, and needed only to fit

    outcomes = Outcomes.read(data / "routing" / name / "outcomes.parquet" for name in sorted(SHIPPED_DATASETS))
    kept = outcomes.table.filter(~pl.col("benchmark").is_in(list(UNFIT_BENCHMARKS)))
    return Outcomes(table=kept)
