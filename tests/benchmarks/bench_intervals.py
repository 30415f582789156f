# ruff: noqa: T201 - a command prints
"""How many answers fall within the intervals of 90 % that forecasts state, before and after refinement.

`python -m tests.benchmarks.bench_intervals --data FOLDER` replays public outcomes as calls: of each model some prompts'
answers are counted as a journal's would be, and those to other prompts are judged. Lengths are in tokens, at four
characters where the source does not count them; latencies are as bfcl measured them.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from catalog import Backend, Floats, ModelProfile, Pool, PoolEntry, UnknownModelError
from catalog.registry import Catalog
from gateway.refinement import BackendStatistics, CallFacts
from predictors import Forecaster, Query

DATASETS = ("alpaca_eval", "bfcl_2024_08", "mmlu_pro", "zeroeval")
N_MODELS, N_PROMPTS, N_CALLS, Z90 = 12, 600, (0, 3, 10, 100, 300), 1.645


class Answers:
    """One model's answers to some prompts."""

    def __init__(self, rows: pl.DataFrame, profile: ModelProfile) -> None:
        counted = rows["output_tokens"].is_not_null().any()
        tokens = rows["output_tokens"] if counted else rows["output_chars"] / 4
        self.profile, self.queries = profile, [Query.from_prompt(prompt) for prompt in rows["prompt"]]
        self.tokens: Floats = tokens.cast(pl.Float64).to_numpy()  # (n_prompts,)
        self.latency_s: Floats = rows["latency_s"].cast(pl.Float64).to_numpy()  # (n_prompts,), NaN where not measured

    def covered(self, forecaster: Forecaster, n: int) -> tuple[float, float]:
        """The share within the interval of length and of latency (NaN: not measured), after n calls."""
        backend = Backend(id="b", profile_id=self.profile.id, kind="openai", provider="x", model_name="m")
        bound = forecaster.bind(Pool([PoolEntry(profile=self.profile, backend=backend)]))
        ratio = np.atleast_1d(bound.forecasts(self.queries[: max(n, 1)]).length_ratio)  # (n,)
        seen = BackendStatistics()
        for row in range(n):
            latency = float(self.latency_s[row])
            known = None if np.isnan(latency) else latency
            call = CallFacts(at_s=0.0, status="ok", output_tokens=self.tokens[row], latency_s=known)
            seen.add(replace(call, length_ratio=float(ratio[row])), profile=self.profile)
        if n:
            backend = replace(backend, measured=seen.measured(at_s=0.0, profile=self.profile))
        judged = slice(len(self.queries) // 2, None)
        told = forecaster.bind(Pool([PoolEntry(profile=self.profile, backend=backend)])).forecasts(self.queries[judged])

        def share(true: Floats, mean: Floats, sd: Floats) -> float:
            within, known = np.abs(true - mean[:, 0]) <= Z90 * sd[:, 0], np.isfinite(true)
            return float(within[known].mean()) if known.any() else float("nan")

        return (
            share(self.tokens[judged], told.output_tokens, told.output_tokens_sd),
            share(self.latency_s[judged], told.latency_s, told.latency_s_sd),
        )


def answers(data: Path, dataset: str) -> list[Answers]:
    """Models spread over the alphabet, each with as many prompts as there are, at most `N_PROMPTS`."""
    catalog = Catalog.load()
    table = pl.read_parquet(data / "routing" / dataset / "outcomes.parquet").filter(pl.col("output_chars") > 0)
    names = table["model"].unique().sort().to_list()
    found = []
    for name in names[:: max(1, len(names) // N_MODELS)]:
        rows = table.filter(pl.col("model") == name)
        if rows["output_tokens"].is_not_null().any():
            rows = rows.filter(pl.col("output_tokens") > 0)
        try:
            profile = catalog.resolve(name)
        except UnknownModelError:
            profile = ModelProfile(id=f"own/{name.replace(' ', '-')}", name=name)
        if len(rows) >= N_PROMPTS // 2:
            found.append(Answers(rows.sample(min(N_PROMPTS, len(rows)), shuffle=True, seed=0), profile))
    return found


def main() -> None:
    """One row per dataset and number of calls: the mean over models, and the lowest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data, forecaster = parser.parse_args().data, Forecaster.load()
    for dataset in DATASETS:
        models = answers(data, dataset)
        for n in N_CALLS:
            shares = np.array([one.covered(forecaster, min(n, len(one.queries) // 2)) for one in models])
            told = [
                f"{name} {np.nanmean(column):.2f} (lowest {np.nanmin(column):.2f})"
                for name, column in zip(("length", "latency"), shares.T, strict=True)
                if np.isfinite(column).any()
            ]
            print(f"{dataset:14} {len(models):3} models, {n:4} calls: {'  '.join(told)}", flush=True)


if __name__ == "__main__":
    main()
