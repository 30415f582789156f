"""Fits length predictors: the shipped one (`python -m predictors.length.fit DATA --out DIR`), and anyone's own.

The shipped one is trained on the three outcome sets with answer lengths whose licence allows it (mmlu_pro, zeroeval and
arena_bench_v1, all Apache-2.0), at four characters to the token. Every benchmark counts the same there: of the prompts,
eight in ten are exam questions with short worked answers, and everyday chat is like none of them. Prompts are held out
by `group_key` to measure a fit.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from catalog import Floats
from predictors.encoders import open_encoder
from predictors.features import Features
from predictors.folds import group_folds
from predictors.outcomes import Outcomes

from .model import LengthPredictor, Share

if TYPE_CHECKING:
    import polars as pl

__all__ = ["main", "own_lengths", "shipped_lengths"]

_SETS: Final = ("mmlu_pro", "zeroeval", "arena_bench_v1")
_CHARS_PER_TOKEN: Final = 4.0
_MIN_PROMPTS: Final = 100  # fewer tell less of prompts than the shipped fit does
_N_FOLDS: Final = 5
_RIDGE: Final = 3.0  # of the shipped fit, chosen on its held-out prompts
_N_SURFACE: Final = 15  # of the shipped fit: the first of what the shipped quality model reads, so a text is read once


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lengths:
    """Logarithms of lengths, split into a prompt's share, a model's share and noise."""

    prompts: list[str]
    groups: list[str]
    benchmarks: list[str]
    log_tokens: Floats  # (n_prompts,) mean over models, their shares taken out
    shares: Mapping[tuple[str | None, str], tuple[float, int]]  # of (dataset, model): shift, number of answers
    noise_sd: float
    model_sd: float


def shipped_lengths(data: Path) -> tuple[LengthPredictor, dict[str, float]]:
    """The fit on all prompts of the public sets, and what a fit on four fifths of the groups explains of the last."""
    import polars as pl  # noqa: PLC0415 - needed for fitting, not for using

    columns = ["prompt_id", "group_key", "prompt", "dataset", "benchmark", "model", "output_chars"]
    tables = [pl.read_parquet(data / name / "outcomes.parquet", columns=columns) for name in _SETS]
    rows = pl.concat(table.with_columns(pl.col("prompt").cast(pl.String)) for table in tables)
    # Within a benchmark: models differ in what they were told, too, and the average model is not to carry that.
    lengths = _lengths(rows.with_columns(tokens=pl.col("output_chars") / _CHARS_PER_TOKEN), by=("benchmark", "model"))
    held_out = np.array([int(group, 16) % 5 == 0 for group in lengths.groups])
    _, where, count = np.unique(lengths.benchmarks, return_inverse=True, return_counts=True)
    features = Features(open_encoder("static"), n_surface=_N_SURFACE)
    return _fitted(lengths, features, held_out, weight=1.0 / count[where], ridge=_RIDGE)


def own_lengths(
    outcomes: Outcomes, features: Features, *, model_id: Callable[[str | None, str], str], seed: int = 0
) -> tuple[LengthPredictor, dict[str, float]] | None:
    """Lengths of one's own prompts, and how much more or less than the average each of one's models writes.

    Args:
        outcomes: those with `output_tokens` count, or with `output_chars` at four to the token.
        features: what prompts are read with.
        model_id: the profile id of (dataset, model name).
        seed: of the fold that is held out to measure the fit.

    Returns:
        The fit and what it explains, as `shipped_lengths`; None where fewer than 100 prompts have answer lengths.
    """
    import polars as pl  # noqa: PLC0415 - needed for fitting, not for using

    table = outcomes.table
    tokens = pl.col("output_tokens")
    if "output_chars" in table.columns:
        tokens = pl.coalesce(tokens, pl.col("output_chars").cast(pl.Float64, strict=False) / _CHARS_PER_TOKEN)
    rows = table.with_columns(tokens=tokens)
    if rows.filter(pl.col("tokens") > 0).select("dataset", "prompt_id").n_unique() < _MIN_PROMPTS:
        return None
    lengths = _lengths(rows, by=("dataset", "model"))
    held_out = group_folds(np.array(lengths.groups), _N_FOLDS, seed) == 0
    shares = [
        Share(name=name, model=model_id(dataset, name), shift=shift, n_calls=n_calls)
        for (dataset, name), (shift, n_calls) in sorted(lengths.shares.items(), key=str)
    ]
    return _fitted(lengths, features, held_out, shares=shares, weight=np.ones(len(lengths.prompts)))


def main(argv: Sequence[str] | None = None) -> int:
    """Fit the shipped predictor, save, print what it explains."""
    parser = argparse.ArgumentParser(prog="python -m predictors.length.fit", description="fit the length predictor")
    parser.add_argument("data", type=Path, help="folder of the routing sets")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    if missing := [name for name in _SETS if not (args.data / name / "outcomes.parquet").exists()]:
        print(f"error: {args.data} lacks {', '.join(missing)}", file=sys.stderr)  # noqa: T201 - a command prints
        return 1
    predictor, report = shipped_lengths(args.data)
    predictor.save(args.out)
    print(json.dumps(report, indent=2))  # noqa: T201
    return 0


def _lengths(rows: "pl.DataFrame", *, by: tuple[str, str]) -> _Lengths:
    """Split by alternating means; a model's share is its own within each value of the first column of `by`."""
    import polars as pl  # noqa: PLC0415 - needed for fitting, not for using

    rows = rows.filter(pl.col("tokens") > 0).with_columns(
        y=pl.col("tokens").clip(lower_bound=1).log(), of_model=pl.lit(0.0), of_prompt=pl.lit(0.0)
    )
    for _ in range(5):
        rows = rows.with_columns(of_prompt=(pl.col("y") - pl.col("of_model")).mean().over("dataset", "prompt_id"))
        rows = rows.with_columns(of_model=(pl.col("y") - pl.col("of_prompt")).mean().over(*by))
    noise = rows.select((pl.col("y") - pl.col("of_model") - pl.col("of_prompt")).std()).item()
    models = rows.group_by(by).agg(pl.col("of_model").first())["of_model"].std()
    shares = rows.group_by("dataset", "model").agg(pl.col("of_model").mean(), pl.len())
    prompts = rows.group_by("dataset", "prompt_id", maintain_order=True).agg(
        pl.col("prompt", "group_key", "benchmark", "of_prompt").first()
    )
    return _Lengths(
        prompts=prompts["prompt"].to_list(),
        groups=prompts["group_key"].to_list(),
        benchmarks=prompts["benchmark"].to_list(),
        log_tokens=prompts["of_prompt"].to_numpy(),
        shares={(dataset, model): (shift, n) for dataset, model, shift, n in shares.iter_rows()},
        noise_sd=float(noise or 0.0),
        model_sd=float(models) if isinstance(models, float) else 0.0,
    )


def _fitted(
    lengths: _Lengths,
    features: Features,
    held_out: npt.NDArray[np.bool_],
    *,
    weight: Floats,
    ridge: float = 30.0,
    shares: Sequence[Share] = (),
) -> tuple[LengthPredictor, dict[str, float]]:
    """`weight` (n_prompts,) is how much each prompt counts, in the fit and in what is said of it."""
    x = features.extract(lengths.prompts)  # (n_prompts, dim)
    tokens = np.exp(lengths.log_tokens)

    def fit(rows: npt.NDArray[np.bool_]) -> LengthPredictor:
        return LengthPredictor(ridge=ridge).fit(
            x[rows],
            tokens[rows],
            feature_name=features.name,
            noise_sd=lengths.noise_sd,
            model_sd=lengths.model_sd,
            weight=weight[rows],
            shares=shares,
        )

    error = fit(~held_out).log_tokens(x[held_out]) - lengths.log_tokens[held_out]
    level = lengths.log_tokens[held_out] - np.average(lengths.log_tokens[~held_out], weights=weight[~held_out])
    report = {
        "n_prompts": float(len(tokens)),
        "noise_sd": lengths.noise_sd,
        "model_sd": lengths.model_sd,
        "held_out_rmse_log": _root_mean(error**2, weight[held_out]),
        "held_out_rmse_log_of_the_mean": _root_mean(level**2, weight[held_out]),
    }
    return fit(np.ones(len(tokens), dtype=bool)), report


def _root_mean(squares: Floats, weight: Floats) -> float:
    return float(np.sqrt(np.average(squares, weights=weight)))


if __name__ == "__main__":
    raise SystemExit(main())
