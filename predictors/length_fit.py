"""Fits the shipped length predictor: `python -m predictors.length_fit DATA --out DIR`.

Trained on the three outcome sets with answer lengths whose licence allows it (mmlu_pro, zeroeval and arena_bench_v1,
all Apache-2.0), at four characters to the token. Prompts are held out by `group_key` to measure it.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from catalog import Floats

from .encoders import open_encoder
from .features import Features
from .length import LengthPredictor

__all__ = ["fit_lengths", "main"]

_SETS: Final = ("mmlu_pro", "zeroeval", "arena_bench_v1")
_CHARS_PER_TOKEN: Final = 4.0


class _Lengths(NamedTuple):
    prompts: list[str]
    groups: list[str]
    log_tokens: Floats  # (n_prompts,) mean over models, their shares taken out
    noise_sd: float
    model_sd: float


def fit_lengths(data: Path, features: Features) -> tuple[LengthPredictor, dict[str, float]]:
    """The fit on all prompts, and what a fit on four fifths of the groups explains of the last fifth."""
    lengths = _read(data)
    x = features.extract(lengths.prompts)  # (n_prompts, dim)
    tokens = np.exp(lengths.log_tokens)

    def fit(rows: npt.NDArray[np.bool_]) -> LengthPredictor:
        return LengthPredictor().fit(
            x[rows], tokens[rows], feature_name=features.name, noise_sd=lengths.noise_sd, model_sd=lengths.model_sd
        )

    held_out = np.array([int(group, 16) % 5 == 0 for group in lengths.groups])
    error = fit(~held_out).log_tokens(x[held_out]) - lengths.log_tokens[held_out]
    level = lengths.log_tokens[held_out] - lengths.log_tokens[~held_out].mean()
    report = {
        "n_prompts": float(len(tokens)),
        "noise_sd": lengths.noise_sd,
        "model_sd": lengths.model_sd,
        "held_out_rmse_log": float(np.sqrt(np.mean(error**2))),
        "held_out_rmse_log_of_the_mean": float(np.sqrt(np.mean(level**2))),
    }
    return fit(np.ones(len(tokens), dtype=bool)), report


def main(argv: Sequence[str] | None = None) -> int:
    """Fit, save, print what it explains."""
    parser = argparse.ArgumentParser(prog="python -m predictors.length_fit", description="fit the length predictor")
    parser.add_argument("data", type=Path, help="folder of the routing sets")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    if missing := [name for name in _SETS if not (args.data / name / "outcomes.parquet").exists()]:
        print(f"error: {args.data} lacks {', '.join(missing)}", file=sys.stderr)  # noqa: T201 - a command prints
        return 1
    predictor, report = fit_lengths(args.data, Features(open_encoder("static")))
    predictor.save(args.out)
    print(json.dumps(report, indent=2))  # noqa: T201
    return 0


def _read(data: Path) -> _Lengths:
    """Logarithms of lengths, split by alternating means into a prompt's share, a model's share and noise."""
    import polars as pl  # noqa: PLC0415 - needed for fitting, not for using

    tables = []
    for name in _SETS:
        columns = ["prompt_id", "group_key", "prompt", "benchmark", "model", "output_chars"]
        table = pl.read_parquet(data / name / "outcomes.parquet", columns=columns)
        tables.append(table.filter(pl.col("output_chars") > 0).with_columns(pl.col("prompt").cast(pl.String)))
    rows = pl.concat(tables).with_columns(
        y=(pl.col("output_chars") / _CHARS_PER_TOKEN).clip(lower_bound=1).log(),
        of_model=pl.lit(0.0),
        of_prompt=pl.lit(0.0),
    )
    for _ in range(5):
        rows = rows.with_columns(of_prompt=(pl.col("y") - pl.col("of_model")).mean().over("prompt_id"))
        # Within a benchmark: models differ in what they were told, too, and the average model is not to carry that.
        rows = rows.with_columns(of_model=(pl.col("y") - pl.col("of_prompt")).mean().over("benchmark", "model"))
    noise = rows.select((pl.col("y") - pl.col("of_model") - pl.col("of_prompt")).std()).item()
    models = rows.group_by("benchmark", "model").agg(pl.col("of_model").first())["of_model"].std()
    prompts = rows.group_by("prompt_id", maintain_order=True).agg(
        pl.col("prompt").first(), pl.col("group_key").first(), pl.col("of_prompt").first()
    )
    return _Lengths(
        prompts=prompts["prompt"].to_list(),
        groups=prompts["group_key"].to_list(),
        log_tokens=prompts["of_prompt"].to_numpy(),
        noise_sd=float(noise),
        model_sd=float(models) if isinstance(models, float) else 0.0,
    )


if __name__ == "__main__":
    raise SystemExit(main())
